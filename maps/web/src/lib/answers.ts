// What was answered already, for as long as the data stays the same.
import { get } from "./api.ts";
import type { Lang } from "./types.ts";

/** Answers kept while the data stays the same: going back to a period costs nothing. Oldest out first. */
export class Answers {
  private readonly kept = new Map<string, Promise<unknown>>();
  private readonly most: number;

  constructor(most = 400) {
    this.most = most;
  }

  get<T>(url: string, lang: Lang): Promise<T> {
    const known = this.kept.get(url) as Promise<T> | undefined;
    if (known) return known;
    const answer = get<T>(url, lang);
    this.kept.set(url, answer);
    answer.catch(() => this.kept.delete(url));
    if (this.kept.size > this.most) this.kept.delete(this.kept.keys().next().value as string);
    return answer;
  }

  clear(): void {
    this.kept.clear();
  }
}
