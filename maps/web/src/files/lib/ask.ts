// Sending a file with its progress, asking for a job, and following it to its end.
import { Problem } from "../../lib/api.ts";
import type { Lang } from "../../lib/types.ts";
import type { Job } from "./types.ts";

const OURS = { "X-Requested-With": "wangge" }; // no other site can send this header
const WAIT_S = 20;
const PAUSE_MS = 1000;

function problemOf(status: number, text: string): Problem {
  let body: { type?: string; title?: string; detail?: string } = {};
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    // not ours: the status says what there is to say
  }
  return new Problem(status, body.type?.split(":").pop() ?? String(status), body.title ?? "", body.detail ?? "");
}

/** Sends a file as the body; only XMLHttpRequest tells how far it is. The job that was begun. */
export function sendFile<R>(url: string, file: File, lang: Lang, onsent: (share: number) => void, signal: AbortSignal): Promise<Job<R>> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    const headers = { ...OURS, "Content-Type": "application/octet-stream", Accept: "application/json", "Accept-Language": lang };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => e.lengthComputable && onsent(e.loaded / e.total);
    request.onload = () => (request.status === 202 ? resolve(JSON.parse(request.responseText) as Job<R>) : reject(problemOf(request.status, request.responseText)));
    request.onerror = () => reject(new Problem(0, "unreachable", "", ""));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Asks for a job with a body of JSON. */
export async function begin<R>(url: string, lang: Lang, body: unknown): Promise<Job<R>> {
  const headers = { ...OURS, "Content-Type": "application/json", Accept: "application/json", "Accept-Language": lang, Prefer: "respond-async" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
  if (!response) throw new Problem(0, "unreachable", "", "");
  const text = await response.text();
  if (!response.ok) throw problemOf(response.status, text);
  return JSON.parse(text) as Job<R>;
}

/** Follows a job to its end, telling every change; a service that is away is asked again. */
export async function follow<R>(id: number, lang: Lang, onnews: (job: Job<R>) => void, signal: AbortSignal): Promise<Job<R>> {
  let tag = "";
  for (;;) {
    const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": lang, ...(tag ? { "If-None-Match": tag } : {}) };
    const response = await fetch(`/api/jobs/${id}?wait=${WAIT_S}`, { headers, signal, cache: "no-store" }).catch((failure: unknown) => {
      if (signal.aborted) throw failure;
      return null;
    });
    if (response?.ok) {
      const job = (await response.json()) as Job<R>;
      tag = response.headers.get("ETag") ?? "";
      onnews(job);
      if (job.finished_at) return job;
    } else if (response && response.status !== 304 && response.status < 500) {
      throw problemOf(response.status, await response.text());
    } else if (!response || response.status >= 500) await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}
