// What the page of people asks the service, and what comes back.
import { ask, get } from "../lib/api.ts";
import { say } from "../lib/i18n.ts";
import { MESSAGES, type Key } from "../lib/messages.ts";
import type { Answer, Lang, Role } from "../lib/types.ts";

export const ROLES: readonly Role[] = ["worker", "supervisor", "planner", "admin", "public"];
/** Roles that answer for one area. */
export const isBound = (role: Role): boolean => role === "worker" || role === "supervisor";

export type AreaOf = Answer["AreaOf"];
export type User = Answer["User"];
export type Issued = Answer["TokenIssued"];
export type Act = Answer["Act"];
export type Acts = Answer["Acts"];
export type ChainState = Answer["Chain"];

const at = (name: string, rest = ""): string => `/api/users/${encodeURIComponent(name)}${rest}`;

export const users = (lang: Lang): Promise<Answer["Users"]> => get("/api/users", lang);

export const addUser = (lang: Lang, body: unknown): Promise<User> => ask("POST", "/api/users", lang, { body });

export const changeUser = (lang: Lang, name: string, body: unknown): Promise<User> => ask("PATCH", at(name), lang, { body });

/** A new password; made by the service unless one is given. */
export const setPassword = (lang: Lang, name: string, password: string | null): Promise<User> =>
  ask("POST", at(name, "/password"), lang, { body: password === null ? {} : { password } });

export const issueToken = (lang: Lang, name: string, label: string, days: number): Promise<Issued> =>
  ask("POST", at(name, "/tokens"), lang, { body: { label, days } });

export const revokeToken = (lang: Lang, name: string, id: number): Promise<User> => ask("DELETE", at(name, `/tokens/${id}`), lang);

/** An act in the reader's language; one that has no word here as it is written. */
export function actWord(lang: Lang, act: string): string {
  const key = `act_${act.replaceAll(/[ .-]/g, "_")}`;
  return key in MESSAGES ? MESSAGES[key as Key][lang === "zh" ? 0 : 1] : act;
}

const VALUES: Record<string, string> = { password: "wayPassword", oidc: "wayOidc", token: "wayToken" };
const WORDS_OF: Record<string, string> = { role: "role_", from: "role_", to: "role_", limit: "limit_" };

function valueWord(lang: Lang, name: string, value: unknown): string {
  if (typeof value === "boolean") return say(lang, value ? "yes" : "no");
  if (typeof value === "object") return JSON.stringify(value);
  const words = WORDS_OF[name];
  const key = name === "by" ? VALUES[String(value)] : words && words + String(value);
  return key && key in MESSAGES ? say(lang, key as Key) : String(value);
}

/** What an act was about, in one line: "User 李明 · Role Planner"; names without a word here stand as they are written. */
export function told(lang: Lang, what: Record<string, unknown>): string {
  return Object.entries(what)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => {
      const key = `what_${name}`;
      return `${key in MESSAGES ? say(lang, key as Key) : name} ${valueWord(lang, name, value)}`;
    })
    .join(" · ");
}
