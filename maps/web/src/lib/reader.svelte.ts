// Who reads, in which language, and what that lets them ask for.
import { say, sayWord } from "./i18n.ts";
import type { Key } from "./messages.ts";
import type { Lang, Who } from "./types.ts";
import { coverageOf, WALK_MINUTES } from "./view.ts";

export const LANGUAGE = "wangge.lang"; // where the browser keeps it

export const readerOf = (who: Who): string => [who.name, who.role, who.area?.level, who.area?.code].join("/");

export class Reader {
  lang = $state<Lang>("zh");
  who = $state.raw<Who | null>(null);

  /** Who reads, as a key: a page made for one reader is not shown to another. */
  reader = $derived(this.who ? readerOf(this.who) : "");
  /** Whether cases themselves may be asked for; which ones, the service decides. */
  mayCases = $derived(["worker", "supervisor", "admin"].includes(this.who?.role ?? "public"));
  /** Whether exact figures, ranks and reports may be asked for. */
  mayRead = $derived(["supervisor", "planner", "admin"].includes(this.who?.role ?? "public"));

  t = (key: Key, fill?: Record<string, string | number>): string => say(this.lang, key, fill);
  word = (prefix: "level_" | "f_" | "m_" | "o_" | "s_" | "u_", word: string): string => sayWord(this.lang, prefix, word);
  /** The name of a measure, of cases or of reach. */
  measureName = (measure: string): string => {
    const kind = coverageOf(measure);
    return kind ? this.t("coverageOf", { kind: this.word("f_", kind), n: WALK_MINUTES }) : this.word("m_", measure);
  };
  byName = (by: string): string =>
    by === "grid" ? this.t("by_grid") : by === "hexagon" ? this.t("by_hexagon") : this.word("level_", by);

  setLang(lang: Lang): void {
    this.lang = lang;
    localStorage.setItem(LANGUAGE, lang);
  }
}
