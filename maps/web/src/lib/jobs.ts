// Long work, asked for and followed: the service holds each answer back until there is something new.
import { answer, ask, Problem } from "./api.ts";
import type { Answer, Lang } from "./types.ts";

const WAIT_S = 20;
const REST_MS = 400; // between looks at a running job, whose progress changes all the time
const AWAY_MS = 1000; // a service that is away is asked again

export type JobProblem = Answer["JobProblem"];
/** A job whose kind is known, and with it what comes of it. */
export type Job<R = unknown> = Omit<Answer["Job"], "result"> & { result: R | null };

export const isOver = (job: Job): boolean => job.state !== "queued" && job.state !== "running";

/** Asks for a job; `key`: the same key again begins nothing twice. */
export const begin = <R>(url: string, lang: Lang, body: unknown, key?: string): Promise<Job<R>> =>
  ask<Job<R>>("POST", url, lang, { body, later: true, ...(key ? { key } : {}) });

export const cancel = (id: number, lang: Lang): Promise<Job> => ask<Job>("POST", `/api/jobs/${id}/cancel`, lang);

/** Follows a job to its end, telling every change. `signal` stops looking, not the job; looking stopped, it throws the signal's reason. */
export async function follow<R>(id: number, lang: Lang, onnews: (job: Job<R>) => void, signal?: AbortSignal): Promise<Job<R>> {
  const heard = signal ? { signal } : {};
  let tag = "";
  for (;;) {
    let rest = REST_MS;
    try {
      const response = await answer("GET", `/api/jobs/${id}?wait=${tag ? WAIT_S : 0}`, lang, { ifNoneMatch: tag, ...heard });
      if (response.status !== 304) {
        const job = (await response.json()) as Job<R>;
        signal?.throwIfAborted();
        tag = response.headers.get("ETag") ?? "";
        onnews(job);
        if (isOver(job)) return job;
      }
    } catch (failure) {
      if (!(failure instanceof Problem) || (failure.status !== 0 && failure.status < 500)) throw failure;
      rest = AWAY_MS;
    }
    await new Promise((done) => setTimeout(done, rest));
    signal?.throwIfAborted();
  }
}
