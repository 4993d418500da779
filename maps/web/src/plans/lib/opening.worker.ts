// Opens a plan beside the page: 14 MB of JSON are read here, so that the page answers meanwhile.
import { ask, Problem } from "../../lib/api.ts";
import type { Lang } from "../../lib/types.ts";
import { buffersOf, columnsOf, type GroundTold } from "./ground.ts";
import { handedOver, opened } from "./opened.ts";
import type { Assignment } from "./types.ts";

export interface Wish {
  number: number;
  path: string; // of the plan
  lang: Lang;
  ground: boolean; // only the ground
}

self.onmessage = ({ data }: MessageEvent<Wish>): void => void serve(data);

async function serve(wish: Wish): Promise<void> {
  const { number } = wish;
  try {
    const [answer, buffers] = await found(wish);
    self.postMessage({ number, answer }, { transfer: buffers as Transferable[] });
  } catch (failure) {
    const { status, code, title, detail, facts, waitS } = failure instanceof Problem ? failure : new Problem(-1, "page", String(failure), "");
    self.postMessage({ number, problem: { status, code, title, detail, facts, waitS } });
  }
}

async function found(wish: Wish): Promise<[unknown, ArrayBufferLike[]]> {
  const ground = ask<GroundTold>("GET", `${wish.path}/ground`, wish.lang);
  if (wish.ground) {
    const columns = columnsOf(await ground);
    return [columns, buffersOf(columns)];
  }
  const [told, held] = await Promise.all([ground, ask<Assignment>("GET", `${wish.path}/assignment`, wish.lang)]);
  const all = opened(told, held);
  return all ? [all, handedOver(all)] : [null, []];
}
