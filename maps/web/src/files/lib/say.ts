// Words for what comes from the service: stages, fields, kinds, codes.
import { MESSAGES, type Key } from "../../lib/messages.ts";
import { say, sayWord, sourceName } from "../../lib/i18n.ts";
import type { Lang } from "../../lib/types.ts";

function known(lang: Lang, key: string, otherwise: string): string {
  return key in MESSAGES ? say(lang, key as Key) : otherwise;
}

export const stageOf = (lang: Lang, stage: string): string => known(lang, `fiStage_${stage}`, say(lang, "fiWorking"));
export const fieldOf = (lang: Lang, field: string): string => known(lang, `fiField_${field}`, field);
export const whatOf = (lang: Lang, what: string): string => known(lang, `fiWhat_${what}`, what);
export const layerOf = (lang: Lang, layer: string): string => known(lang, `fiLayer_${layer}`, layer);
export const crsOf = (lang: Lang, crs: string): string => known(lang, `fiCrs_${crs}`, crs);

/** What a load is called: a level of boundaries, a kind of facilities, a source of cases; else the name it was given. */
export function sourceOf(lang: Lang, run: { kind: string; source: string }): string {
  if (run.kind === "boundaries") return sayWord(lang, "level_", run.source);
  if (run.kind === "facilities") return sayWord(lang, "f_", run.source);
  return run.kind === "cases" ? sourceName(lang, run.source) : run.source;
}
