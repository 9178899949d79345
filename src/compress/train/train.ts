/** The loop: batches in random order, a rate that rises and falls, and a look at held-out text now and then. */
import type { Random } from "../../engines/flint/sampling/random.ts";
import { createRandom } from "../../engines/flint/sampling/random.ts";
import type { Crew } from "./crew.ts";
import type { Example } from "./lane.ts";
import type { LossOptions } from "./loss.ts";
import type { TrainSetup } from "./setup.ts";

export interface TrainOptions {
  readonly steps: number;
  /** Windows of a step. */
  readonly batch: number;
  /** The largest rate. */
  readonly rate: number;
  readonly decay: number;
  readonly loss: Omit<LossOptions, "weight">;
  readonly seed: number;
  /** Looks at the held-out text, the last of them at the end. They look at a part of it. */
  readonly looks: number;
  /** Looks without a better loss after which training ends. */
  readonly patience: number;
}

export interface TrainWork {
  readonly crew: Crew;
  readonly setup: TrainSetup;
  /** All parameters. */
  readonly values: Float32Array;
  /** Windows of the text, and how to get one. */
  readonly windows: number;
  readonly example: (index: number) => Example;
  /** Never learned from: all of it is measured before and after, every fourth window now and then. */
  readonly held: readonly Example[];
  readonly options: TrainOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: ((state: TrainState) => void) | undefined;
}

/** After a step; losses are nats for each token. */
export interface TrainState {
  readonly step: number;
  /** Of the steps since the last look. */
  readonly crossEntropy: number;
  readonly divergence: number;
  /** Cross-entropy of the held-out text when it was last looked at. */
  readonly held: number;
}

export interface TrainResult {
  readonly before: number;
  readonly after: number;
  /** After which the held-out loss was best; 0: the parameters are as they were. */
  readonly bestStep: number;
  readonly steps: number;
  /** Of a step, without looks at the held-out text. */
  readonly stepMs: number;
}

/** Leaves the best parameters in their place. Throws the reason of the signal. */
export async function train(work: TrainWork): Promise<TrainResult> {
  const { options, values, signal, onStep } = work;
  const { steps, looks, patience } = options;
  const order = shuffled(work.windows, createRandom(options.seed));
  const before = await measureHeld(work, work.held);
  const watched = work.held.filter((_, index) => index % 4 === 0);
  const first = await measureHeld(work, watched);
  const best = { step: 0, held: first, values: values.slice() };
  const recent = { rows: 0, crossEntropy: 0, divergence: 0 };
  let [held, worse, ms, done] = [first, 0, 0, 0];
  const every = Math.max(1, Math.ceil(steps / looks));
  while (done < steps && worse < patience) {
    signal?.throwIfAborted();
    const started = performance.now();
    const sums = await runStep(work, order, done + 1);
    ms += performance.now() - started;
    done++;
    recent.rows += sums.rows;
    recent.crossEntropy += sums.crossEntropy;
    recent.divergence += sums.divergence;
    if (done % every === 0 || done === steps) {
      signal?.throwIfAborted();
      held = await measureHeld(work, watched);
      worse = held < best.held ? 0 : worse + 1;
      if (held < best.held) Object.assign(best, { step: done, held, values: values.slice() });
    }
    const state = { crossEntropy: recent.crossEntropy / recent.rows, divergence: recent.divergence / recent.rows };
    onStep?.({ step: done, ...state, held });
    if (done % every === 0) Object.assign(recent, { rows: 0, crossEntropy: 0, divergence: 0 });
  }
  values.set(best.values);
  const after = best.step === 0 ? before : await measureHeld(work, work.held);
  return { before, after, bestStep: best.step, steps: done, stepMs: ms / Math.max(1, done) };
}

/** Nats for each token. */
async function measureHeld({ crew, options }: TrainWork, held: readonly Example[]): Promise<number> {
  const sums = await crew.run(held, { loss: { ...options.loss, weight: 0 }, reverse: false });
  return sums.crossEntropy / sums.rows;
}

/** Gradients longer than this are cut to it. */
const longest = 1;

async function runStep({ crew, setup, example, options }: TrainWork, order: () => number, step: number) {
  const examples = Array.from({ length: options.batch }, () => example(order()));
  const rows = examples.reduce((sum, { tokens }) => sum + tokens.length - 1, 0);
  const sums = await crew.run(examples, { loss: { ...options.loss, weight: 1 / rows }, reverse: true });
  const length = await crew.norm();
  await crew.update({
    rate: options.rate * rateAt(step, options.steps),
    clip: Math.min(1, longest / Math.max(length, 1e-12)),
    step,
    decay: options.decay,
    undecayed: undecayedFrom(setup),
  });
  return sums;
}

/** Rises over the first twentieth of the steps, then falls along half a cosine to a twentieth. */
export function rateAt(step: number, steps: number): number {
  const rise = Math.max(1, Math.round(steps / 20));
  if (step <= rise) return step / rise;
  const part = (step - rise) / Math.max(1, steps - rise);
  return 0.05 + 0.95 * 0.5 * (1 + Math.cos(Math.PI * part));
}

/** Norms come last, and do not decay. */
function undecayedFrom({ parameters }: TrainSetup): number {
  const first = parameters.list.find((item) => item.kind === "norm");
  return first?.kind === "norm" ? first.weight : parameters.floats;
}

/** All numbers below `count` in random order, again and again. */
function shuffled(count: number, random: Random): () => number {
  let left: number[] = [];
  return () => {
    if (left.length === 0) left = Array.from({ length: count }, (_, index) => index);
    const at = Math.floor(random.next() * left.length);
    const [index = 0] = left.splice(at, 1);
    return index;
  };
}
