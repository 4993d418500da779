// Strokes become requests: what is painted while one is under way goes together into the next, and the last colour of a unit wins.

export const NEW = "new"; // a grid that is to be made

/** Where units go: a grid's code, "new", or null to leave them open. */
export type Target = string | null;
export interface Move {
  unit_ids: number[];
  to_grid: Target;
}

/** Units waiting to be sent, with the grid each had before the first stroke: what a refusal puts back. */
export class Batch {
  private readonly to = new Map<number, Target>();
  private readonly was = new Map<number, string | null>();

  get size(): number {
    return this.to.size;
  }

  add(units: readonly number[], target: Target, held: (unit: number) => string | null): void {
    for (const unit of units) {
      if (!this.was.has(unit)) this.was.set(unit, held(unit));
      this.to.set(unit, target);
    }
  }

  /** One move for each target, in the order of the first stroke; units painted back to where they were are left out. */
  moves(): Move[] {
    const made = new Map<Target, number[]>();
    for (const [unit, target] of this.to) {
      if (target === this.was.get(unit)) continue;
      const units = made.get(target);
      if (units) units.push(unit);
      else made.set(target, [unit]);
    }
    return [...made].map(([to_grid, unit_ids]) => ({ unit_ids, to_grid }));
  }

  /** A unit that waits here stood elsewhere than was thought: true when it does wait here. */
  correct(unit: number, was: string | null): boolean {
    if (!this.was.has(unit)) return false;
    this.was.set(unit, was);
    return true;
  }

  /** A target got another name: the new grid its code. */
  rename(from: string, to: string): void {
    for (const [unit, target] of this.to) if (target === from) this.to.set(unit, to);
    for (const [unit, code] of this.was) if (code === from) this.was.set(unit, to);
  }

  before(): ReadonlyMap<number, string | null> {
    return this.was;
  }

  targets(): ReadonlyMap<number, Target> {
    return this.to;
  }
}

/** At most one request at a time; more calls while one runs lead to exactly one more run. */
export class OneAtATime {
  private running: Promise<void> | null = null;
  private again = false;
  private readonly work: () => Promise<void>;

  constructor(work: () => Promise<void>) {
    this.work = work;
  }

  /** The run that is under way, if there is one: to wait for without asking for another. */
  get underWay(): Promise<void> | null {
    return this.running;
  }

  ask(): Promise<void> {
    if (this.running) {
      this.again = true;
      return this.running;
    }
    this.running = this.loop().finally(() => (this.running = null));
    return this.running;
  }

  private async loop(): Promise<void> {
    do {
      this.again = false;
      await this.work();
    } while (this.again);
  }
}
