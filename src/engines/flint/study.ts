/**
 * A model in its threads, for those who study it: whole rows of logits, and what enters its matrices. In the caller's
 * process, one text at a time, and none of what serving needs.
 */
import { HearthError } from "../../error.ts";
import { checkModel } from "./check.ts";
import type { Observed } from "./graph/observe.ts";
import { readObservations } from "./graph/observe.ts";
import { modelAt } from "./local.ts";
import type { Prepared } from "./prepare.ts";
import { prepare } from "./prepare.ts";
import { startNodeThread } from "./threads/node-thread.ts";
import { startThreads } from "./threads/pool.ts";
import type { FlintThreads } from "./threads/pool.ts";
import type { Scores, ScoringOptions } from "./threads/scoring.ts";
import type { GgufTokenizer } from "./tokenizer/gguf.ts";
import { createGgufTokenizer } from "./tokenizer/gguf.ts";

export interface StudyOptions {
  /** What messages call the model. */
  readonly name: string;
  /** Tokens of the longest text; less where the model was trained for less. */
  readonly contextTokens: number;
  readonly threads: number;
  /** Whether to sum up what enters each matrix. */
  readonly observe?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Gets the bytes that are loaded. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface StudyScoring extends Omit<ScoringOptions, "top"> {
  /** Most rows of a step; 1: one token after the other, as an answer is computed. */
  readonly stepRows?: number;
}

export interface Study {
  readonly tokenizer: GgufTokenizer;
  readonly contextTokens: number;
  /** Logits of a row. */
  readonly width: number;
  /** How likely a text is, and the logits where room for them is given. */
  score(scoring: StudyScoring, signal?: AbortSignal): Promise<Scores>;
  /** What entered the matrices so far. */
  observed(): readonly Observed[];
  usedBytes(): number;
  dispose(): Promise<void>;
}

/**
 * Loads a GGUF file or a checkpoint's folder. Throws what a load throws, and `unsupported_capability` for a model that
 * gives no logits.
 */
export async function openStudy(path: string, options: StudyOptions): Promise<Study> {
  const { name, threads: workers, observe = false, signal } = options;
  const { readHeader, file } = modelAt(path, { name });
  const header = await readHeader();
  const tokenizer = createGgufTokenizer(header.metadata);
  const checked = checkModel(header, options.contextTokens);
  const { trainContextTokens, encoder, pooling } = checked.hyperparameters;
  if (encoder !== undefined || pooling !== "none") {
    throw new HearthError("unsupported_capability", `${name} makes embeddings; it does not say how likely a text is.`, {
      hint: "Give a model that answers with text.",
    });
  }
  const contextTokens = Math.min(options.contextTokens, trainContextTokens || Infinity);
  const prepared = prepare(header, checked, {
    contextTokens,
    parallel: 1,
    cacheTokens: 0,
    workers,
    batchTokens: undefined,
    observe,
  });
  const started = startThreads({ workers, file, start: startNodeThread, signal, onProgress: options.onProgress });
  try {
    started.load({ setup: prepared.setup });
    const module = await WebAssembly.compile(prepared.kernels());
    const threads = await started.ready({ module, vocabulary: tokenizer.vocabulary });
    return createStudy({ prepared, threads, tokenizer, contextTokens });
  } catch (error) {
    await started.end();
    throw error;
  }
}

interface Opened extends Pick<Study, "tokenizer" | "contextTokens"> {
  readonly prepared: Prepared;
  readonly threads: FlintThreads;
}

function createStudy({ prepared: { setup, usedBytes }, threads, tokenizer, contextTokens }: Opened): Study {
  const { plan, memories } = setup;
  return {
    tokenizer,
    contextTokens,
    width: plan.values[plan.result.value]?.width ?? 0,
    async score(scoring, signal) {
      const reply = await threads.ask({ type: "score", top: 0, priority: "interactive", ...scoring }, "scores", signal);
      return reply.scores;
    },
    observed: () => readObservations(plan, memories),
    usedBytes,
    dispose: () => threads.dispose(),
  };
}
