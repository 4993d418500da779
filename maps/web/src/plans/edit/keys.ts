// The keyboard of the editor. Keys typed into a field stay the field's.
import { BRUSHES_PX, type Tool, type Workbench } from "../lib/workbench.svelte.ts";
import { NEW } from "../lib/draft.svelte.ts";

export const TOOL_KEYS: Record<string, Tool> = { v: "select", b: "paint", r: "rect", l: "lasso", w: "area", k: "split", c: "cut" };

export interface Page {
  help(): void;
  tab(which: "grid" | "rules" | "talk" | "log"): void;
}

export function onKey(event: KeyboardEvent, bench: Workbench, page: Page): void {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const { draft } = bench;
  const letter = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (letter === "z" || letter === "y") {
      event.preventDefault();
      const again = letter === "y" || event.shiftKey;
      if (draft.editable && (again ? draft.canRedo : draft.canUndo || draft.saved !== "saved")) void (again ? draft.redo() : draft.undo());
    }
    return;
  }
  if (event.altKey) return;
  const onMap = target.closest(".editor-map") !== null && target.tagName === "CANVAS";
  const deed = deeds(event, bench, page, onMap)[event.key === "Enter" ? (event.shiftKey ? "finish" : "press") : letter];
  if (!deed) return;
  event.preventDefault();
  deed();
}

function deeds(event: KeyboardEvent, bench: Workbench, page: Page, onMap: boolean): Record<string, (() => void) | undefined> {
  const { draft } = bench;
  const tool = TOOL_KEYS[event.key.toLowerCase()];
  const active = bench.active !== null && bench.active !== NEW ? draft.row(bench.active) : null;
  const edit = (deed: () => void): (() => void) | undefined => (draft.editable ? deed : undefined);
  return {
    ...(tool ? { [event.key.toLowerCase()]: () => bench.setTool(tool) } : {}),
    press: onMap ? () => bench.press(event.shiftKey) : undefined,
    finish: onMap ? () => (bench.line.length ? bench.finish() : bench.press(true)) : undefined,
    escape: () => bench.escape(),
    "?": page.help,
    "[": () => (bench.brush = Math.max(0, bench.brush - 1)),
    "]": () => (bench.brush = Math.min(BRUSHES_PX.length - 1, bench.brush + 1)),
    h: () => (bench.colouring = bench.colouring === "grids" ? "load" : "grids"),
    u: () => bench.findOpen(),
    j: () => bench.findBroken(),
    g: () => {
      page.tab("rules");
      bench.findViolation();
    },
    z: active ? () => bench.show(draft.unitsOf(active.code)) : undefined,
    n: edit(() => void (bench.picked.size ? bench.assign(NEW) : bench.activate(NEW))),
    a: edit(() => void (bench.active !== null && bench.assign(bench.active))),
    o: edit(() => void (bench.picked.size ? bench.assign(null) : (bench.erasing = true))),
    x: active ? edit(() => void draft.act("lock", { grids: [active.code], locked: !active.locked })) : undefined,
    f: active ? edit(() => void draft.act("fix", { grid: active.code })) : undefined,
    s: active ? edit(() => void draft.act("split", { grid: active.code, parts: 2 })) : undefined,
    m: active ? edit(() => {
      page.tab("grid");
      requestAnimationFrame(() => document.getElementById("merge-with")?.focus());
    }) : undefined,
    e: active ? edit(() => {
      page.tab("grid");
      requestAnimationFrame(() => document.getElementById("grid-name")?.focus());
    }) : undefined,
  };
}
