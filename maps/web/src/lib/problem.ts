// A failure in words for the person in front of the screen; what the service refuses comes as problem+json.
import type { Answer } from "./types.ts";

/** What a refusal tells beside its words; one that is not of the service itself tells nothing. */
export type Facts = Partial<Answer["Problem"]>;

export class Problem extends Error {
  readonly status: number; // 0: no answer at all
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly facts: Facts;
  readonly waitS: number; // how long the service asks to wait; 0: it does not say

  constructor(status: number, code: string, title: string, detail: string, facts: Facts = {}, waitS = 0) {
    super(detail || title);
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.facts = facts;
    this.waitS = waitS;
  }

  /** Somebody else changed it since it was read. */
  get stale(): boolean {
    return this.code === "stale-revision";
  }
  /** The service cannot be reached, by itself or by what stands before it. */
  get away(): boolean {
    return [0, 502, 503, 504].includes(this.status);
  }
}

export const unreachable = (): Problem => new Problem(0, "unreachable", "", "");

/** The problem that an answer tells; one that is not ours is known by its status. */
export function problemIn(status: number, statusText: string, text: string, waitS = 0): Problem {
  let body: Facts = {};
  try {
    body = JSON.parse(text) as Facts;
  } catch {
    // a page of whatever stands between: the status says what there is to say
  }
  const word = (name: "type" | "title" | "detail"): string => (typeof body[name] === "string" ? body[name] : "");
  const code = word("type").split(":").pop() || String(status);
  return new Problem(status, code, word("title") || statusText, word("detail"), body, waitS);
}
