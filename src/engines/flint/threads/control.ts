/**
 * How compute workers share the work of a step. Every stage has a ticket cell and a cell that counts what is done. A
 * worker claims the next piece of a stage by a compare-exchange that also checks the step's number: one that slept
 * through the end of a step cannot take a piece of the next one by mistake. A stage is over when its pieces are done,
 * whether or not every worker came: none is waited for that the system has put to sleep between two pieces.
 */

const header = 16;
const cells = { step: 0, stop: 1, failed: 2 } as const;
const countBits = 12;
/** Pieces that a stage can have. */
export const mostPieces = 2 ** countBits - 1;
const countMask = mostPieces;

/** Turns of the waiting loop before a worker lets the system run something else. */
const spins = 20_000;

export class Control {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #stages: number;

  constructor(buffer: SharedArrayBuffer, stages: number) {
    this.#cells = new Int32Array(buffer);
    this.#stages = stages;
  }

  static bytes(stages: number): number {
    return (header + stages * 2) * 4;
  }

  /**
   * Ends the step before: from here on nobody can take a piece. The leader may then change what stages look at to tell
   * how many pieces they have; without this, a worker that was late would take the number for that of the old step.
   */
  close(): void {
    const step = this.#nextStep();
    for (let stage = 0; stage < this.#stages; stage++) {
      Atomics.store(this.#cells, header + stage * 2, (step << countBits) | countMask);
    }
  }

  /** The leader begins a step, after `close`. */
  begin(): number {
    const step = this.#nextStep();
    for (let stage = 0; stage < this.#stages; stage++) {
      Atomics.store(this.#cells, header + stage * 2 + 1, 0);
      Atomics.store(this.#cells, header + stage * 2, step << countBits);
    }
    Atomics.store(this.#cells, cells.step, step);
    Atomics.notify(this.#cells, cells.step);
    return step;
  }

  #nextStep(): number {
    return (Atomics.load(this.#cells, cells.step) + 1) & 0x7ffff;
  }

  stop(): void {
    Atomics.store(this.#cells, cells.stop, 1);
    Atomics.add(this.#cells, cells.step, 1);
    Atomics.notify(this.#cells, cells.step);
  }

  get stopped(): boolean {
    return Atomics.load(this.#cells, cells.stop) !== 0;
  }

  get step(): number {
    return Atomics.load(this.#cells, cells.step);
  }

  /** Marks the step as failed, e.g. by a trap of a kernel; the leader sees it when the step is over. */
  fail(): void {
    Atomics.store(this.#cells, cells.failed, 1);
  }

  get failed(): boolean {
    return Atomics.load(this.#cells, cells.failed) !== 0;
  }

  /** Waits until the step differs from `last`. */
  await(last: number): void {
    for (let turn = 0; turn < spins; turn++) if (Atomics.load(this.#cells, cells.step) !== last) return;
    while (Atomics.load(this.#cells, cells.step) === last) Atomics.wait(this.#cells, cells.step, last);
  }

  /** The next piece of a stage of `pieces`; -1 when none is left, -2 when the step is over. */
  claim(stage: number, step: number, pieces: number): number {
    const cell = header + stage * 2;
    let seen = Atomics.load(this.#cells, cell);
    for (;;) {
      if (seen >> countBits !== step) return -2;
      const piece = seen & countMask;
      if (piece >= pieces) return -1;
      const found = Atomics.compareExchange(this.#cells, cell, seen, seen + 1);
      if (found === seen) return piece;
      seen = found;
    }
  }

  finish(stage: number): void {
    Atomics.add(this.#cells, header + stage * 2 + 1, 1);
  }

  /** Waits until all pieces of the stage are done; false when the step is over. */
  awaitStage(stage: number, step: number, pieces: number): boolean {
    const done = header + stage * 2 + 1;
    const ticket = header + stage * 2;
    for (let turn = 1; Atomics.load(this.#cells, done) < pieces; turn++) {
      if ((turn & 63) === 0 && Atomics.load(this.#cells, ticket) >> countBits !== step) return false;
      if (turn % spins === 0) Atomics.wait(this.#cells, done, Atomics.load(this.#cells, done), 0.05);
    }
    return Atomics.load(this.#cells, ticket) >> countBits === step;
  }
}
