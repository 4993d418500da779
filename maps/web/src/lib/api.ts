// The one door to the service. Every failure becomes a Problem with words for the person in front of the screen.
import { nameIn } from "./address.ts";
import { Problem, problemIn, unreachable } from "./problem.ts";
import type { Lang } from "./types.ts";

export { Problem };
export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

export interface Sent {
  body?: unknown;
  file?: Blob;
  ifMatch?: string; // the state that was seen
  ifNoneMatch?: string; // the answer that is known
  key?: string; // the same key again: the same answer, nothing happens twice
  later?: boolean; // a job is welcome in the place of an answer
  accept?: string;
  signal?: AbortSignal;
}

/** Told of every answer: when it was kept, if it comes from what was kept because the service does not answer. */
let hear: (keptAt: string | null) => void = () => undefined;
export const onAnswer = (listener: typeof hear): void => void (hear = listener);

/** What every request says of itself. */
export function headersOf(method: Method, lang: Lang, sent: Sent): Record<string, string> {
  const kind = sent.file ? "application/octet-stream" : sent.body === undefined ? "" : "application/json";
  const said: Record<string, string | undefined> = {
    Accept: sent.accept ?? "application/json",
    "Accept-Language": lang,
    "X-Requested-With": method === "GET" ? undefined : "wangge", // no other site can send this header
    "Content-Type": kind,
    "If-Match": sent.ifMatch,
    "If-None-Match": sent.ifNoneMatch,
    "Idempotency-Key": sent.key,
    Prefer: sent.later ? "respond-async" : undefined,
  };
  return Object.fromEntries(Object.entries(said).filter((pair): pair is [string, string] => Boolean(pair[1])));
}

/** The answer as it came; one that nothing is new (304) is an answer, too. */
export async function answer(method: Method, url: string, lang: Lang, sent: Sent = {}): Promise<Response> {
  const body = sent.file ?? (sent.body === undefined ? null : JSON.stringify(sent.body));
  const cache = sent.ifNoneMatch === undefined ? "default" : "no-store"; // what is known is known here, not in the browser's store
  const init: RequestInit = { method, headers: headersOf(method, lang, sent), body, cache, signal: sent.signal ?? null };
  const response = await fetch(url, init).catch((failure: unknown) => {
    throw sent.signal?.aborted ? failure : unreachable();
  });
  hear(response.headers.get("X-Wangge-Kept"));
  if (response.ok || response.status === 304) return response;
  const waitS = Number(response.headers.get("retry-after")) || 0;
  throw problemIn(response.status, response.statusText, await response.text(), waitS);
}

/** A question, or a change whose answer is wanted. */
export async function ask<T>(method: Method, url: string, lang: Lang, sent: Sent = {}): Promise<T> {
  return (await (await answer(method, url, lang, sent)).json()) as T;
}

export const get = <T>(url: string, lang: Lang): Promise<T> => ask<T>("GET", url, lang);

/** A fresh key for a change; random enough to be nobody else's within a day. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** A file made by the service, given to the reader to keep. Its name, or null when a job makes it and it is not there yet. */
export async function download(url: string, lang: Lang, body: unknown): Promise<string | null> {
  const response = await answer("POST", url, lang, { body, accept: "*/*" });
  if (response.status === 202) return null;
  const name = nameIn(response.headers.get("Content-Disposition") ?? "") ?? "wangge";
  const file = URL.createObjectURL(await response.blob());
  const link = Object.assign(document.createElement("a"), { href: file, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
  return name;
}
