// Every word of the pages, Chinese first; a file per room. A key that misses a language does not compile.
import { CONSULT } from "./words/consult.ts";
import { FILES } from "./words/files.ts";
import { PEOPLE } from "./words/people.ts";
import { PLANS } from "./words/plans.ts";
import { SHARED } from "./words/shared.ts";
import { SUPERVISOR } from "./words/supervisor.ts";

export const MESSAGES = { ...SHARED, ...SUPERVISOR, ...PLANS, ...CONSULT, ...FILES, ...PEOPLE } as const;
export type Key = keyof typeof MESSAGES;
