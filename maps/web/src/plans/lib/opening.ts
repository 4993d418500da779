// The page's side of opening: what is wished for, and what the thread beside it found.
import { Problem } from "../../lib/api.ts";
import type { Lang } from "../../lib/types.ts";
import { type Columns, Ground } from "./ground.ts";
import type { Opened } from "./opened.ts";
import type { Wish } from "./opening.worker.ts";

type Told = { number: number; answer: unknown; problem?: Pick<Problem, "status" | "code" | "title" | "detail" | "facts" | "waitS"> };
type Waiting = { done(answer: unknown): void; failed(failure: unknown): void };

const waiting = new Map<number, Waiting>();
let worker: Worker | null = null;
let asked = 0;

function start(): Worker {
  const started = new Worker(new URL("./opening.worker.ts", import.meta.url), { type: "module" });
  started.onmessage = ({ data }: MessageEvent<Told>): void => {
    const one = waiting.get(data.number);
    waiting.delete(data.number);
    const { problem: p } = data;
    if (p) one?.failed(new Problem(p.status, p.code, p.title, p.detail, p.facts, p.waitS));
    else one?.done(data.answer);
    if (!waiting.size) rest();
  };
  started.onerror = (event): void => {
    for (const one of waiting.values()) one.failed(new Problem(0, "unreachable", "", event.message));
    waiting.clear();
    rest();
  };
  return started;
}

/** Nothing to do: its memory, several times the columns, is given back. */
function rest(): void {
  worker?.terminate();
  worker = null;
}

function wish<T>(path: string, lang: Lang, ground: boolean): Promise<T> {
  worker ??= start();
  const wanted: Wish = { number: (asked += 1), path, lang, ground };
  const answer = new Promise<T>((done, failed) => waiting.set(wanted.number, { done: (found) => done(found as T), failed }));
  worker.postMessage(wanted);
  return answer;
}

/** A plan's ground and assignment, and what follows from them; null when they do not belong together: ask again. */
export const openPlan = (path: string, lang: Lang): Promise<Opened | null> => wish(path, lang, false);

/** The ground alone. */
export const readGround = async (path: string, lang: Lang): Promise<Ground> => new Ground(await wish<Columns>(path, lang, true));
