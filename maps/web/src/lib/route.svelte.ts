// Which page the address asks for, and moving between pages without loading the application again.
import type { Role } from "./types.ts";

export type PageName = "map" | "plans" | "loads" | "exports" | "people" | "none";
const PAGES: readonly PageName[] = ["plans", "loads", "exports", "people"];
const WHO: Record<PageName, readonly Role[]> = {
  map: ["public", "worker", "supervisor", "planner", "admin"],
  plans: ["supervisor", "planner", "admin"],
  loads: ["admin"],
  exports: ["supervisor", "planner", "admin"],
  people: ["admin"],
  none: ["public", "worker", "supervisor", "planner", "admin"],
};

/** Whether a role has any use for a page; the service decides again on every request. */
export const mayOpen = (page: PageName, role: Role, rest = ""): boolean => WHO[page].includes(role) || (page === "plans" && /^\d/.test(rest)); // a draft may be open to the public

/** The page of a path and what follows its name: "/plans/42" is plans with the rest "42"; an address nobody gave is "none". */
export function readPath(path: string): { page: PageName; rest: string } {
  const [first = "", ...more] = path.split("/").filter(Boolean);
  const page = first === "" || first === "index.html" ? "map" : (PAGES.find((name) => name === first) ?? "none");
  return { page, rest: page === "map" || page === "none" ? "" : decodeURIComponent(more.join("/")) };
}

class Route {
  page = $state<PageName>("map");
  rest = $state("");
  private keptSearch = ""; // of the map: its view survives a visit elsewhere

  constructor() {
    this.read();
    addEventListener("popstate", () => this.read());
  }

  private read(): void {
    Object.assign(this, readPath(location.pathname));
  }

  /** Open a page of the application, e.g. `go("/plans/42")`. */
  go(path: string): void {
    if (this.page === "map") this.keptSearch = location.search;
    history.pushState(null, "", path === "/" ? `/${this.keptSearch}` : path);
    this.read();
    scrollTo(0, 0);
  }
}

export const route = new Route();

/** For links: `<a href="/plans" onclick={follow}>`; a click with a modifier key stays the browser's. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement;
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  route.go(link.pathname);
}
