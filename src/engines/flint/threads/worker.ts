/** A compute worker: loads its share of the weights, then takes pieces of stages until it is told to stop. */
import type { Plan } from "../graph/plan.ts";
import { asideRows } from "../graph/matrices.ts";
import type { StageRunner } from "../graph/matrices.ts";
import { createRunners } from "../graph/runners.ts";
import { Control } from "./control.ts";
import type { LoadPiece, ReadFile } from "./load.ts";
import { createLoader } from "./load.ts";
import { Counts } from "../graph/counts.ts";

/** What every worker is handed; it travels between threads. */
export interface WorkerSetup {
  readonly plan: Plan;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly control: SharedArrayBuffer;
  /** Int32: next piece to load, bytes loaded so far in KiB, pieces done. */
  readonly loading: SharedArrayBuffer;
  readonly pieces: readonly LoadPiece[];
  /** The kernels that pack them. */
  readonly packing: WebAssembly.Module;
  readonly index: number;
  readonly workers: number;
}

export const loadCells = { next: 0, kibibytes: 1, done: 2, stop: 3 } as const;

interface StagePlace {
  readonly stage: number;
  readonly step: number;
  readonly pieces: number;
  readonly aside: boolean;
}

/** One thread's view of the engine. */
export class Compute {
  readonly control: Control;
  readonly counts: Counts;
  readonly #setup: WorkerSetup;
  readonly #runners: readonly StageRunner[];
  /** Milliseconds spent in each stage, this worker's part; filled when profiling. */
  readonly stageMs: Float64Array;
  profile = false;

  constructor(setup: WorkerSetup) {
    const { plan, memory, module, control, index, workers } = setup;
    this.#setup = setup;
    this.control = new Control(control, plan.stages.length);
    this.counts = new Counts(memory, plan.step, Math.max(1, plan.expertsUsed));
    this.#runners = createRunners({ plan, memory, module, index, workers });
    this.stageMs = new Float64Array(plan.stages.length);
  }

  /** Loads pieces until none is left, or somebody stopped the load. */
  load(read: ReadFile): void {
    const { loading, pieces, memory, packing, plan, index } = this.#setup;
    const bytes = plan.scratchBytes;
    const load = createLoader({ memory, module: packing, address: plan.scratch + index * bytes, bytes, read });
    const cells = new Int32Array(loading);
    for (;;) {
      const piece = pieces[Atomics.add(cells, loadCells.next, 1)];
      if (!piece || Atomics.load(cells, loadCells.stop) !== 0) return;
      load(piece);
      Atomics.add(cells, loadCells.kibibytes, Math.round(piece.bytes / 1024));
      Atomics.add(cells, loadCells.done, 1);
    }
  }

  /** Takes part in a step to its end. The leader returns when all of it is done. */
  runStep(step: number): void {
    const small = this.counts.rows("all") <= asideRows;
    for (let stage = 0; stage < this.#runners.length; stage++) {
      const runner = this.#runners[stage];
      if (!runner) return;
      const start = this.profile ? performance.now() : 0;
      const pieces = runner.pieces(this.counts);
      const aside = small && runner.aside !== undefined && Control.allowsAside(pieces);
      const place = { stage, step, pieces, aside };
      // What cannot be computed aside, and is too short to be shared, is the leader's.
      const mine = this.#setup.index === 0 || aside || !(small || runner.alone);
      if ((mine && !this.#takePieces(runner, place)) || !this.#finishStage(runner, place)) return;
      if (this.profile) this.stageMs[stage] = (this.stageMs[stage] ?? 0) + performance.now() - start;
    }
  }

  /** Takes pieces until none is left; false when the step is over. */
  #takePieces(runner: StageRunner, { stage, step, pieces, aside }: StagePlace): boolean {
    for (;;) {
      const piece = this.control.claim(stage, step, pieces);
      if (piece < 0) return piece === -1;
      if (aside) this.#runAside(runner, { stage, step, piece });
      else {
        this.#guard(() => runner.run(piece, this.counts));
        this.control.finish(stage);
      }
    }
  }

  /** Waits for the others; takes over what is late. False when the step is over. */
  #finishStage(runner: StageRunner, { stage, step, pieces, aside }: StagePlace): boolean {
    for (;;) {
      const waited = this.control.awaitStage(stage, step, pieces);
      if (waited !== "late") return waited === "done";
      if (!aside) this.control.rest(stage);
      else {
        for (let piece = 0; piece < pieces; piece++) {
          if (!this.control.isCommitted(stage, step, piece)) this.#runAside(runner, { stage, step, piece });
        }
        this.control.rest(stage);
      }
    }
  }

  #runAside(runner: StageRunner, { stage, step, piece }: Omit<StagePlace, "pieces" | "aside"> & { piece: number }): void {
    this.#guard(() => runner.aside?.(piece, this.counts));
    if (!this.control.commit(stage, step, piece)) return;
    runner.publish?.(piece, this.counts);
    this.control.finish(stage);
  }

  /** Follows the leader until it says stop. */
  follow(): void {
    for (let step = 0; ; ) {
      this.control.await(step);
      if (this.control.stopped) return;
      step = this.control.step;
      this.runStep(step);
    }
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      // A piece that is never done would hold up everybody: the leader hears of it when the step is over.
      this.control.fail();
      console.error(error);
    }
  }
}
