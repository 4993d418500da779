// The one door to the service. Every failure becomes a Problem with words for the person in front of the screen.
import type { paths } from "./api-types.ts";
import type { Lang } from "./types.ts";

export class Problem extends Error {
  readonly status: number; // 0: no answer at all
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly waitS: number; // how long the service asks to wait; 0: it does not say

  constructor(status: number, code: string, title: string, detail: string, waitS = 0) {
    super(detail || title);
    this.waitS = waitS;
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
  }
}

export type Query = Record<string, string | number | readonly string[] | null | undefined>;

/** "/api/x?a=1&b=2" without empty values, in the order given. */
export function address(path: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) q.append(key, String(one));
  }
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

type Taken<P extends keyof paths> = NonNullable<paths[P]["get"]>["parameters"]["query"];
type Asked<P extends keyof paths> = { readonly [K in keyof NonNullable<Taken<P>>]?: Query[string] };

/**
 * A question to the service, checked against the interface when the page is compiled: a path that is not there, or a
 * parameter that it does not take, is an error. `{id}` in the path is filled from `inside`.
 */
export function asking<P extends keyof paths>(path: P, query: Asked<P>, inside: Record<string, string | number> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(inside[name] ?? "")));
  return address(filled, query as Query);
}

async function problem(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Partial<Record<"type" | "title" | "detail", string>>;
  const code = body.type?.split(":").pop() ?? String(response.status);
  return new Problem(response.status, code, body.title ?? response.statusText, body.detail ?? "", Number(response.headers.get("retry-after")) || 0);
}

/** Told of every answer: when it was kept, if it comes from what was kept because the service does not answer. */
let hear: (keptAt: string | null) => void = () => undefined;
export const onAnswer = (listener: typeof hear): void => void (hear = listener);

async function ask(url: string, lang: Lang, options: RequestInit): Promise<Response> {
  const headers = { Accept: "application/json", "Accept-Language": lang, ...options.headers };
  const response = await fetch(url, { ...options, headers }).catch((failure: unknown) => {
    if (options.signal?.aborted) throw failure;
    throw new Problem(0, "unreachable", "", "");
  });
  hear(response.headers.get("X-Wangge-Kept"));
  if (!response.ok) throw await problem(response);
  return response;
}

export async function get<T>(url: string, lang: Lang, signal?: AbortSignal): Promise<T> {
  const response = await ask(url, lang, signal ? { signal } : {});
  return (await response.json()) as T;
}

export type Method = "POST" | "PATCH" | "PUT" | "DELETE";

export async function send(method: Method, url: string, lang: Lang, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { "X-Requested-With": "wangge" }; // no other site can send this header
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return await ask(url, lang, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

/** A change whose answer is wanted. */
export async function change<T>(method: Method, url: string, lang: Lang, body?: unknown): Promise<T> {
  return (await (await send(method, url, lang, body)).json()) as T;
}

/** A file made by the service, given to the reader to keep. Its name, or null when a job makes it and it is not there yet. */
export async function download(url: string, lang: Lang, body: unknown): Promise<string | null> {
  const headers = { Accept: "*/*", "Content-Type": "application/json", "X-Requested-With": "wangge" };
  const response = await ask(url, lang, { method: "POST", headers, body: JSON.stringify(body) });
  if (response.status === 202) return null;
  const name = nameIn(response.headers.get("Content-Disposition") ?? "") ?? "wangge";
  const file = URL.createObjectURL(await response.blob());
  const link = Object.assign(document.createElement("a"), { href: file, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
  return name;
}

/** The file name of a Content-Disposition, the one in UTF-8 before the plain one. */
export function nameIn(disposition: string): string | null {
  const wide = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  return wide ? decodeURIComponent(wide) : (/filename="?([^";]+)"?/i.exec(disposition)?.[1] ?? null);
}

/** Answers kept while the data stays the same: going back to a period costs nothing. Oldest out first. */
export class Answers {
  private readonly kept = new Map<string, Promise<unknown>>();
  private readonly most: number;

  constructor(most = 400) {
    this.most = most;
  }

  get<T>(url: string, lang: Lang): Promise<T> {
    const known = this.kept.get(url) as Promise<T> | undefined;
    if (known) return known;
    const answer = get<T>(url, lang);
    this.kept.set(url, answer);
    answer.catch(() => this.kept.delete(url));
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value as string);
    return answer;
  }

  clear(): void {
    this.kept.clear();
  }
}
