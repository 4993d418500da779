// The editor's door to the service: like lib/api.ts, but answers are read after a change and refusals keep their facts.
import { Problem } from "../../lib/api.ts";
import type { Lang } from "../../lib/types.ts";

export interface Facts {
  revision?: number;
  author?: string;
  at?: string;
  violations?: unknown[];
  gap?: unknown;
  field?: string;
  [more: string]: unknown;
}

export class Refusal extends Problem {
  readonly facts: Facts;

  constructor(status: number, code: string, title: string, detail: string, facts: Facts) {
    super(status, code, title, detail);
    this.facts = facts;
  }

  get stale(): boolean {
    return this.code === "stale-revision";
  }
  get offline(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export interface Sent {
  body?: unknown;
  file?: Blob;
  ifMatch?: string; // the state that was seen
  key?: string; // the same key again: the same answer, nothing happens twice
  signal?: AbortSignal;
}

export async function ask<T>(method: Method, url: string, lang: Lang, sent: Sent = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": lang };
  if (method !== "GET") headers["X-Requested-With"] = "wangge"; // no other site can send this header
  if (sent.ifMatch) headers["If-Match"] = sent.ifMatch;
  if (sent.key) headers["Idempotency-Key"] = sent.key;
  const init: RequestInit = { method, headers };
  if (sent.signal) init.signal = sent.signal;
  if (sent.file) {
    headers["Content-Type"] = "application/octet-stream";
    init.body = sent.file;
  } else if (sent.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(sent.body);
  }
  const response = await fetch(url, init).catch((failure: unknown) => {
    if (sent.signal?.aborted) throw failure;
    throw new Refusal(0, "unreachable", "", "", {});
  });
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

async function refusal(response: Response): Promise<Refusal> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const word = (name: string): string => (typeof body[name] === "string" ? (body[name] as string) : "");
  const code = word("type").split(":").pop() || String(response.status);
  return new Refusal(response.status, code, word("title") || response.statusText, word("detail"), body as Facts);
}

/** A fresh key for a change; random enough to be nobody else's within a day. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}
