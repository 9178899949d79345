/**
 * How compute workers share the work of a step. Every stage has a ticket cell and a cell that counts what is done. A
 * worker claims the next piece of a stage by a compare-exchange that also checks the step's number: one that slept
 * through the end of a step cannot take a piece of the next one by mistake. A stage is over when its pieces are done,
 * whether or not every worker came: none is waited for that the system has put to sleep between two pieces.
 */

const header = 16;
const cells = { step: 0, stop: 1, failed: 2, model: 3 } as const;
const countBits = 12;
/** Pieces that a stage can have. */
export const mostPieces: number = 2 ** countBits - 1;
const countMask = mostPieces;
/** Steps are counted round. */
const stepMask = 0x7ffff;
const refreshSteps = 2 ** 17;

/** Turns of the waiting loop before a worker lets the system run something else. */
const spins = 20_000;

/** Turns after which a piece counts as late: about what one takes. Whoever waits has nothing better to do than to redo it. */
const lateTurns = 600;

/** Pieces of a stage that can be computed aside, see `commit`. */
const asidePieces = 256;

/** What came of waiting for a stage: all pieces are done, some are late, or the step is over. */
export type Waited = "done" | "late" | "over";

export class Control {
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #stages: number;

  constructor(buffer: SharedArrayBuffer, stages: number) {
    this.#cells = new Int32Array(buffer);
    this.#stages = stages;
  }

  static bytes(stages: number): number {
    return (header + stages * (2 + asidePieces)) * 4;
  }

  /** Whether the pieces of a stage can be computed aside. */
  static allowsAside(pieces: number): boolean {
    return pieces <= asidePieces;
  }

  /**
   * Ends the step before: from here on nobody can take a piece. The leader may then change what stages look at to tell
   * how many pieces they have; without this, a worker that was late would take the number for that of the old step.
   */
  close(): void {
    const step = this.#nextStep();
    if (step % refreshSteps === 0) this.#refresh((step - 1) & stepMask);
    for (let stage = 0; stage < this.#stages; stage++) {
      Atomics.store(this.#cells, header + stage * 2, (step << countBits) | countMask);
    }
  }

  /** The leader begins a step of one of the models, after `close`. */
  begin(model = 0): number {
    const step = this.#nextStep();
    Atomics.store(this.#cells, cells.model, model);
    for (let stage = 0; stage < this.#stages; stage++) {
      Atomics.store(this.#cells, header + stage * 2 + 1, 0);
      Atomics.store(this.#cells, header + stage * 2, step << countBits);
    }
    Atomics.store(this.#cells, cells.step, step);
    Atomics.notify(this.#cells, cells.step);
    return step;
  }

  /** Brings cells that nobody has written for long up to the step before: else they would be ahead when steps have gone round. */
  #refresh(step: number): void {
    const first = header + this.#stages * 2;
    for (let cell = first; cell < first + this.#stages * asidePieces; cell++) Atomics.store(this.#cells, cell, step);
  }

  #nextStep(): number {
    return (Atomics.load(this.#cells, cells.step) + 1) & stepMask;
  }

  stop(): void {
    Atomics.store(this.#cells, cells.stop, 1);
    Atomics.add(this.#cells, cells.step, 1);
    Atomics.notify(this.#cells, cells.step);
  }

  get stopped(): boolean {
    return Atomics.load(this.#cells, cells.stop) !== 0;
  }

  /** Whose step it is; read it after the step's number. */
  get model(): number {
    return Atomics.load(this.#cells, cells.model);
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

  /**
   * Takes the right to publish a piece that was computed aside. Only one worker gets it, however many have computed the
   * piece: so a piece whose worker was put to sleep can be computed by another, and what the sleeper made is discarded.
   */
  commit(stage: number, step: number, piece: number): boolean {
    const cell = this.#asideCell(stage, piece);
    const seen = Atomics.load(this.#cells, cell);
    // A sleeper of an earlier step must not take back what a later one has published.
    const ahead = (step - seen) & stepMask;
    if (ahead === 0 || ahead > stepMask / 2) return false;
    return Atomics.compareExchange(this.#cells, cell, seen, step) === seen && this.isOpen(stage, step);
  }

  isCommitted(stage: number, step: number, piece: number): boolean {
    return Atomics.load(this.#cells, this.#asideCell(stage, piece)) === step;
  }

  #asideCell(stage: number, piece: number): number {
    return header + this.#stages * 2 + stage * asidePieces + piece;
  }

  /** Whether the step goes on. If not, what its stages look at may have changed. */
  isOpen(stage: number, step: number): boolean {
    return Atomics.load(this.#cells, header + stage * 2) >> countBits === step;
  }

  /** Waits until all pieces of the stage are done, or for a short time. */
  awaitStage(stage: number, step: number, pieces: number): Waited {
    const done = header + stage * 2 + 1;
    for (let turn = 1; Atomics.load(this.#cells, done) < pieces; turn++) {
      if ((turn & 63) === 0 && !this.isOpen(stage, step)) return "over";
      if (turn % lateTurns === 0) return "late";
    }
    return this.isOpen(stage, step) ? "done" : "over";
  }

  /** Lets the system run something else. */
  rest(stage: number): void {
    const done = header + stage * 2 + 1;
    Atomics.wait(this.#cells, done, Atomics.load(this.#cells, done), 0.05);
  }
}
