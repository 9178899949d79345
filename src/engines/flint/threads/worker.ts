/** A compute worker: loads its share of the weights, then takes pieces of stages until it is told to stop. */
import { asideRows } from "../graph/runner.ts";
import type { StageRunner } from "../graph/runner.ts";
import { createRunners } from "../graph/runners.ts";
import { Control } from "./control.ts";
import type { LoadSetup } from "./load.ts";
import { Counts } from "../graph/counts.ts";

/** What a worker computes with; it travels between threads. */
export interface WorkerSetup extends LoadSetup {
  readonly module: WebAssembly.Module;
}

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
    const { plan, memories, module, control, stages, index, workers } = setup;
    this.#setup = setup;
    this.control = new Control(control, stages);
    const [first] = memories;
    if (!first) throw new RangeError("no memory");
    this.counts = new Counts(first, plan.step, Math.max(1, plan.expertsUsed));
    this.#runners = createRunners({ plan, memories, module, index, workers });
    this.stageMs = new Float64Array(plan.stages.length);
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
      const mine = this.#setup.index === 0 || aside || runner.long || !(small || runner.alone);
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
        this.#guard({ stage, step }, () => runner.run(piece, this.counts));
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

  #runAside(
    runner: StageRunner,
    { stage, step, piece }: Omit<StagePlace, "pieces" | "aside"> & { piece: number },
  ): void {
    this.#guard({ stage, step }, () => runner.aside?.(piece, this.counts));
    if (!this.control.commit(stage, step, piece)) return;
    runner.publish?.(piece, this.counts);
    this.control.finish(stage);
  }

  #guard({ stage, step }: Pick<StagePlace, "stage" | "step">, work: () => void): void {
    try {
      work();
    } catch (error) {
      // One that slept through the end of the step has computed with what the next one left of its inputs.
      if (!this.control.isOpen(stage, step)) return;
      // A piece that is never done would hold up everybody: the leader hears of it when the step is over.
      this.control.fail();
      console.error(error);
    }
  }
}

/** Follows the leader through the steps of its models until it says stop. */
export function follow(computes: readonly Compute[]): void {
  const [first] = computes;
  if (!first) return;
  const { control } = first;
  for (let step = 0; ;) {
    control.await(step);
    if (control.stopped) return;
    step = control.step;
    computes[control.model]?.runStep(step);
  }
}
