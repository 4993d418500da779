import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MESSAGES } from "./messages.ts";
import { CONSULT } from "./words/consult.ts";
import { FILES } from "./words/files.ts";
import { PEOPLE } from "./words/people.ts";
import { PLANS } from "./words/plans.ts";
import { SHARED } from "./words/shared.ts";
import { SUPERVISOR } from "./words/supervisor.ts";

const SRC = fileURLToPath(new URL("..", import.meta.url));
const WORDLESS = new Set(["u_share"]); // a share has no unit
const CHINESE = new Set(["language", "brand"]); // names of the other language and of the project

/** All that the pages are made of, but for the words themselves and the tests. */
const source = readdirSync(SRC, { recursive: true, encoding: "utf-8" })
  .filter((name) => /\.(svelte|ts)$/.test(name) && !/words[/\\]|\.test\.ts$|api-types/.test(name))
  .map((name) => readFileSync(`${SRC}/${name}`, "utf-8"))
  .join("\n");

/** Beginnings of keys that the pages complete with a word of the data: `trend_${…}`, sayWord(…, "m_", …). */
const beginnings = [...source.matchAll(/`([a-z]\w*[_A-Z]?)\$\{/gi), ...source.matchAll(/"([a-z]+_)"/gi)].map((found) => found[1] as string);

test("every word exists in both languages", () => {
  for (const [key, [zh, en]] of Object.entries(MESSAGES)) {
    if (!WORDLESS.has(key)) assert.ok(zh.trim() && en.trim(), key);
    if (!CHINESE.has(key)) assert.doesNotMatch(en, /[\u4e00-\u9fff]/, `${key}: Chinese in the English words`);
  }
});

test("no word is written twice: what two rooms say is shared", () => {
  const keys = [SHARED, SUPERVISOR, PLANS, CONSULT, FILES, PEOPLE].flatMap((room) => Object.keys(room));
  assert.deepEqual(keys.filter((key, i) => keys.indexOf(key) !== i), []);
});

test("every word is said somewhere", () => {
  const unused = Object.keys(MESSAGES).filter(
    (key) => !new RegExp(`["'\`.]${key.replace(/[^\w]/g, "\\$&")}\\b`).test(source) && !beginnings.some((b) => b.length > 1 && key.startsWith(b)),
  );
  assert.deepEqual(unused, []);
});
