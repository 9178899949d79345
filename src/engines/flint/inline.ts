/** A model in the caller's own thread, one step at a time: no threads, no requests. For tests, tools and measurements. */
import { HearthError } from "../../error.ts";
import { parseGguf } from "../../formats/gguf/parse.ts";
import type { CacheTypes } from "./cache/layout.ts";
import { checkModel } from "./check.ts";
import type { Plan } from "./graph/plan.ts";
import { prepare } from "./prepare.ts";
import type { BatchPart } from "./scheduler/batch.ts";
import type { ReadFile } from "./threads/load.ts";
import { loadShare } from "./threads/load.ts";
import { Steps } from "./threads/steps.ts";
import type { Scores } from "./threads/scoring.ts";
import type { ScoreWork } from "./threads/texts.ts";
import { scoreText } from "./threads/texts.ts";
import { Compute } from "./threads/worker.ts";

export interface InlineOptions {
  readonly contextTokens: number;
  /** Sequences. Default 1. */
  readonly parallel?: number;
  /** Rows of a step. */
  readonly batchTokens?: number;
  /** Most bytes of one memory. Default 4 GiB. */
  readonly bankBytes?: number;
  /** Default: f16. */
  readonly cacheTypes?: CacheTypes;
}

/** Tokens of one sequence in a step. What its cache holds from `position` on is forgotten. */
export interface InlinePart {
  /** 0 to `parallel - 1`. Default 0. */
  readonly sequence?: number;
  readonly tokens: readonly number[];
  /** Finds the rows of pictures by their names among the tokens. */
  readonly rowOf?: BatchPart["rowOf"];
  readonly placeOf?: BatchPart["placeOf"];
  /** Position of the first token. Default 0. */
  readonly position?: number;
  /** Tokens whose results are wanted: from this one on, up to but without another. Default: all. */
  readonly from?: number;
  readonly to?: number;
}

export interface InlineModel {
  readonly plan: Plan;
  /** Copies of the wanted rows: logits, or hidden states of an encoder, in the order of the parts. */
  step(...parts: readonly InlinePart[]): Float32Array[];
  score(work: ScoreWork): Scores;
}

/** Loads a whole file that is in memory. Throws what a load throws. */
export function openInline(bytes: Uint8Array<ArrayBuffer>, options: InlineOptions, name = "The model"): InlineModel {
  const { contextTokens, parallel = 1, batchTokens, bankBytes, cacheTypes } = options;
  const file = parseGguf(bytes, { name });
  const checked = checkModel(file, contextTokens);
  const { setup: shared, kernels } = prepare(file, checked, {
    contextTokens,
    parallel,
    workers: 1,
    batchTokens,
    ...(bankBytes !== undefined && { bankBytes }),
    ...(cacheTypes && { cacheTypes }),
  });
  const setup = { ...shared, index: 0, module: new WebAssembly.Module(kernels()) };
  loadShare(setup, readFrom(bytes, name));
  const steps = new Steps({ setup, compute: new Compute(setup) });
  return {
    plan: setup.plan,
    step: (...parts) => runParts(steps, parts),
    score: (work) => finish(scoreText(steps, work)),
  };
}

function finish<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function runParts(steps: Steps, parts: readonly InlinePart[]): Float32Array[] {
  let outputs = 0;
  steps.run(
    parts.map(({ sequence = 0, tokens, rowOf, placeOf, position = 0, from = 0, to = tokens.length }) => {
      const table = steps.tables[sequence];
      if (!table) throw new RangeError(`no sequence ${sequence}`);
      table.truncate(position);
      outputs += Math.max(0, to - from);
      return { tokens, rowOf, placeOf, position, table, outputsFrom: from, outputsTo: to };
    }),
  );
  return Array.from({ length: outputs }, (_, row) => steps.row(row).slice());
}

function readFrom(bytes: Uint8Array, name: string): ReadFile {
  return (offset, target) => {
    const piece = bytes.subarray(offset, offset + target.length);
    if (piece.length < target.length) {
      throw new HearthError("model_malformed", `${name} ends at byte ${bytes.length}, before its tensors do.`);
    }
    target.set(piece);
  };
}
