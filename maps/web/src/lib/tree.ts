// The catalogue of categories as rows of a tree that can be searched and opened branch by branch.
import type { CategoryNode, Lang } from "./types.ts";

export interface TreeRow {
  key: string;
  name: string;
  n: number | null;
  depth: number;
  branch: "open" | "closed" | null; // null: a leaf
}

export const MOST_ROWS = 400; // drawn at once; whoever has more searches

const nameOf = (node: CategoryNode, lang: Lang): string => (lang === "en" && node.name_en ? node.name_en : node.name);

/** Whether every word of the search stands in the name (either language) or in the key. */
function matches(node: CategoryNode, words: readonly string[]): boolean {
  const text = `${node.name} ${node.name_en ?? ""} ${node.key}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** The rows to draw: all top categories and the children of open ones; while searching, what matches and the way to it. */
export function treeRows(nodes: readonly CategoryNode[], lang: Lang, search: string, open: ReadonlySet<string>): TreeRow[] {
  const words = search.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const rows: TreeRow[] = [];
  const visit = (node: CategoryNode, depth: number, taken: boolean): void => {
    const children = node.children ?? [];
    const self = taken || matches(node, words);
    const found = words.length ? children.filter((child) => self || hasMatch(child, words)) : children;
    if (words.length && !self && !found.length) return;
    const opened = words.length ? found.length > 0 : open.has(node.key);
    rows.push({ key: node.key, name: nameOf(node, lang), n: node.n, depth, branch: children.length ? (opened ? "open" : "closed") : null });
    if (opened) for (const child of found) visit(child, depth + 1, self && words.length > 0);
  };
  for (const node of nodes) visit(node, 0, false);
  return rows.slice(0, MOST_ROWS);
}

function hasMatch(node: CategoryNode, words: readonly string[]): boolean {
  return matches(node, words) || (node.children ?? []).some((child) => hasMatch(child, words));
}

/** The node of a key and the keys above it. */
export function pathTo(nodes: readonly CategoryNode[], key: string): CategoryNode[] {
  for (const node of nodes) {
    if (node.key === key) return [node];
    const below = pathTo(node.children ?? [], key);
    if (below.length) return [node, ...below];
  }
  return [];
}
