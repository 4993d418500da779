// The way of one file: chosen, looked at, loaded, and what became of it.
import { Problem } from "../../lib/api.ts";
import { store } from "../../lib/store.svelte.ts";
import { sendFile } from "./sending.ts";
import { guess, textOf } from "./guess.ts";
import { layoutOf } from "./layout.ts";
import { cancel, follow, type Job, type JobProblem } from "../../lib/jobs.ts";
import type { Loaded, What } from "./types.ts";

export const NAMED: Record<What, "source" | "level" | "kind" | "column"> = {
  cases: "source", boundaries: "level", facilities: "kind", network: "source", weights: "column",
};
const HEAD_BYTES = 65_536;

export interface Options {
  crs: string;
  encoding: string;
  layer: string;
  from: string;
  codeField: string;
  nameField: string;
  replace: boolean;
  dissolve: boolean;
}
const START: Options = { crs: "auto", encoding: "", layer: "", from: "", codeField: "", nameField: "", replace: false, dissolve: false };

export class Desk {
  file = $state.raw<File | null>(null);
  what = $state<What>("cases");
  name = $state("");
  options = $state<Options>({ ...START });
  chosen = $state<Record<string, string>>({}); // field → column, where the reader decided
  sent = $state<number | null>(null); // share of the file that is sent
  job = $state.raw<Job<Loaded> | null>(null);
  looked = $state.raw<Loaded | null>(null); // of the options as they are now
  loaded = $state.raw<Loaded | null>(null);
  refused = $state.raw<JobProblem | null>(null);
  failed = $state.raw<Problem | null>(null);
  cancelled = $state(false);
  private stop: AbortController | null = null;
  private left = new AbortController(); // nobody looks any more; the job goes on
  busy = $derived(this.sent !== null || (this.job !== null && !this.job.finished_at));
  ready = $derived(this.file !== null && (this.name.trim() !== "" || this.what === "network"));

  async take(file: File): Promise<void> {
    this.forget();
    const again = this.loaded !== null && this.loaded.rejected > 0; // the corrected rejects of the same source
    this.file = file;
    this.loaded = null;
    if (again) return;
    const head = textOf(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
    const found = guess(file.name, head);
    Object.assign(this, { what: found.what, name: found.name, options: { ...START }, chosen: {} });
  }

  /** What was found holds for other options no longer. */
  forget(): void {
    Object.assign(this, { looked: null, refused: null, failed: null, cancelled: false });
  }

  clear(): void {
    this.forget();
    Object.assign(this, { file: null, loaded: null, name: "", options: { ...START }, chosen: {}, job: null });
  }

  private address(dryRun: boolean): string {
    const { options: o, what } = this;
    const boundaries = what === "boundaries";
    const layered = what !== "cases" && what !== "facilities";
    const map = layered ? "" : layoutOf(this.chosen);
    const query: Record<string, string> = {
      what, file: this.file?.name ?? "", [NAMED[what]]: this.name.trim(), crs: o.crs.trim() || "auto", encoding: o.encoding,
      ...(layered ? { layer: o.layer.trim() } : { map }),
      ...(boundaries ? { from: o.from, code_field: o.codeField, name_field: o.nameField } : {}),
      ...(what === "weights" ? { code_field: o.codeField } : {}),
      ...(boundaries && o.replace ? { replace: "true" } : {}), ...(boundaries && o.dissolve ? { dissolve: "true" } : {}),
      ...(dryRun ? { dry_run: "true" } : {}),
    };
    return `/api/loads?${new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""))}`;
  }

  /** Sends the file; looks at it only (`dryRun`) or loads it. */
  async go(dryRun: boolean): Promise<void> {
    if (!this.file) return;
    const looked = this.looked;
    this.forget();
    if (!dryRun) this.looked = looked;
    this.stop = new AbortController();
    this.job = null;
    this.sent = 0;
    try {
      const asked = await sendFile<Loaded>(this.address(dryRun), this.file, store.lang, (share) => (this.sent = share), this.stop.signal);
      this.job = asked;
      this.sent = null;
      const job = await follow<Loaded>(asked.id, store.lang, (news) => (this.job = news), this.left.signal);
      this.end(job, dryRun);
    } catch (failure) {
      if (this.left.signal.aborted) return;
      if (failure instanceof Problem) this.failed = failure;
      else if (failure instanceof DOMException) this.cancelled = true;
      else throw failure;
    } finally {
      this.sent = null;
      this.stop = null;
    }
  }

  private end(job: Job<Loaded>, dryRun: boolean): void {
    if (job.state === "cancelled") this.cancelled = true;
    else if (job.problem) this.refused = job.problem;
    else if (dryRun) this.looked = job.result;
    else {
      this.loaded = job.result;
      this.looked = null;
      void store.loadCity(); // the map has news
    }
  }

  /** The reader goes elsewhere: a file on its way arrives, its job goes on, nobody asks how far it is. */
  leave(): void {
    this.left.abort();
  }

  /** Takes the file back while it is sent, or asks the job to stop. */
  async cancel(): Promise<void> {
    if (this.sent !== null) this.stop?.abort();
    else if (this.job) await cancel(this.job.id, store.lang).catch(() => undefined);
  }
}
