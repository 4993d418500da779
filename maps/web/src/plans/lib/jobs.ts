// Long work, followed: the service holds each answer back until there is something new.
import type { Lang } from "../../lib/types.ts";
import { ask, Refusal } from "./door.ts";
import type { Job } from "./types.ts";

const WAIT_S = 10;
const REST_MS = 400; // between looks at a running job, whose progress changes all the time

/** Follows a job to its end; `told` at every look. `signal` stops looking, not the job. */
export async function watch(id: number, lang: Lang, told: (job: Job) => void, signal?: AbortSignal): Promise<Job> {
  let misses = 0;
  for (let wait = 0; ; ) {
    try {
      const job = await ask<Job>("GET", `/api/jobs/${id}?wait=${wait}`, lang, signal ? { signal } : {});
      misses = 0;
      told(job);
      if (job.state !== "queued" && job.state !== "running") return job;
      wait = job.state === "queued" ? 1 : 0;
    } catch (failure) {
      if (!(failure instanceof Refusal) || !failure.offline || ++misses > WAIT_S) throw failure;
    }
    await new Promise((rest) => setTimeout(rest, REST_MS));
  }
}

export const cancel = (id: number, lang: Lang): Promise<Job> => ask<Job>("POST", `/api/jobs/${id}/cancel`, lang);
