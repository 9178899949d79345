/** A compute worker: loads its share of the weights, then takes pieces of stages until it is told to stop. */
import type { Plan } from "../graph/plan.ts";
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
    for (let stage = 0; stage < this.#runners.length; stage++) {
      const runner = this.#runners[stage];
      if (!runner) return;
      const start = this.profile ? performance.now() : 0;
      const pieces = runner.pieces(this.counts);
      for (;;) {
        const piece = this.control.claim(stage, step, pieces);
        if (piece === -2) return;
        if (piece === -1) break;
        this.#runPiece(runner, piece);
        this.control.finish(stage);
      }
      if (!this.control.awaitStage(stage, step, pieces)) return;
      if (this.profile) this.stageMs[stage] = (this.stageMs[stage] ?? 0) + performance.now() - start;
    }
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

  #runPiece(runner: StageRunner, piece: number): void {
    try {
      runner.run(piece, this.counts);
    } catch (error) {
      // A piece that is never done would hold up everybody: the leader hears of it when the step is over.
      this.control.fail();
      console.error(error);
    }
  }
}
