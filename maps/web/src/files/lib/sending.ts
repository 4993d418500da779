// Sending a file with its progress: only XMLHttpRequest tells how far it is.
import { headersOf } from "../../lib/api.ts";
import type { Job } from "../../lib/jobs.ts";
import { problemIn, unreachable } from "../../lib/problem.ts";
import type { Lang } from "../../lib/types.ts";

/** Sends a file as the body. The job that was begun. */
export function sendFile<R>(url: string, file: File, lang: Lang, onsent: (share: number) => void, signal: AbortSignal): Promise<Job<R>> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headersOf("POST", lang, { file }))) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => e.lengthComputable && onsent(e.loaded / e.total);
    request.onload = () =>
      request.status === 202 ? resolve(JSON.parse(request.responseText) as Job<R>) : reject(problemIn(request.status, "", request.responseText));
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
