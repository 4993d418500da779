import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ask, Problem } from "./api.ts";
import { follow, type Job } from "./jobs.ts";
import { problemIn } from "./problem.ts";

const real = globalThis.fetch;
afterEach(() => void (globalThis.fetch = real));

interface Asked { url: string; headers: Record<string, string> }

/** The service answers these one after the other; null: it is away. What it was asked. */
function answers(...all: (Response | null)[]): Asked[] {
  const asked: Asked[] = [];
  globalThis.fetch = (url, init) => {
    asked.push({ url: String(url), headers: init?.headers as Record<string, string> });
    const next = all.shift();
    return next ? Promise.resolve(next) : Promise.reject(new TypeError("no network"));
  };
  return asked;
}
const job = (state: Job["state"], tag: string): Response => new Response(JSON.stringify({ id: 7, state }), { headers: { ETag: tag } });

test("a job is followed to its end, through nothing new and a service that is away", async () => {
  const asked = answers(job("queued", "a"), new Response(null, { status: 304 }), null, new Response("busy", { status: 503 }), job("running", "b"), job("done", "c"));
  const seen: string[] = [];
  const done = await follow(7, "zh", (now) => seen.push(now.state));
  assert.deepEqual(seen, ["queued", "running", "done"]);
  assert.equal(done.state, "done");
  assert.deepEqual(asked.map((one) => one.headers["If-None-Match"]), [undefined, "a", "a", "a", "a", "b"]);
  assert.equal(asked[0]?.url, "/api/jobs/7?wait=0", "the first look does not wait");
});

test("a job that one may not see is not asked for again", async () => {
  const asked = answers(new Response(JSON.stringify({ type: "urn:x:not-found", title: "Nothing here" }), { status: 404 }));
  await assert.rejects(follow(7, "en", () => undefined), (failure: unknown) => failure instanceof Problem && failure.code === "not-found");
  assert.equal(asked.length, 1);
});

test("who stops looking hears no more", async () => {
  const stop = new AbortController();
  answers(job("running", "a"), job("running", "b"));
  const seen: string[] = [];
  await assert.rejects(follow(7, "zh", (now) => (seen.push(now.state), stop.abort()), stop.signal), { name: "AbortError" });
  assert.deepEqual(seen, ["running"]);
});

test("a refusal keeps its words and facts; without a network it is away", async () => {
  const told = problemIn(409, "Conflict", JSON.stringify({ type: "urn:wangge:problem:stale-revision", title: "T", detail: "D", author: "李明" }), 3);
  assert.deepEqual([told.stale, told.away, told.message, told.facts.author, told.waitS], [true, false, "D", "李明", 3]);
  const strange = problemIn(502, "Bad Gateway", "<html>");
  assert.deepEqual([strange.code, strange.message, strange.away], ["502", "Bad Gateway", true]);
  answers();
  await assert.rejects(ask("GET", "/api/city", "zh"), (failure: unknown) => failure instanceof Problem && failure.status === 0 && failure.away);
});
