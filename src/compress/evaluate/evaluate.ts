/** Finds out how good a model is. */
import type { Study } from "../../engines/flint/study.ts";
import { HearthError } from "../../error.ts";
import type { Progress } from "../../spec/model.ts";
import { withModel } from "../compute.ts";
import { measured } from "../progress.ts";
import { measureSize } from "./size.ts";
import type { Question } from "./choices.ts";
import { answerAll } from "./choices.ts";
import type { DivergenceFacts, Evaluation, SpeedFacts } from "./contract.ts";
import { openRowStore } from "./reference-rows.ts";
import type { RowStore } from "./reference-rows.ts";
import { meanOf, perplexityOf, quantilesOf } from "./statistics.ts";
import type { Mean } from "./statistics.ts";
import type { Text } from "./text.ts";
import { cutWindows } from "./text.ts";

export interface NamedModel {
  readonly name: string;
  readonly path: string;
}

export interface EvaluateOptions {
  readonly model: NamedModel;
  /** What the model is compared with: as a rule the one that it was made from. */
  readonly reference?: NamedModel | undefined;
  readonly text: Text;
  readonly questions?: { readonly name: string; readonly list: readonly Question[] } | undefined;
  /** Tokens of a window. Default 512. */
  readonly windowTokens?: number | undefined;
  /** Tokens of the text at most. */
  readonly tokens?: number | undefined;
  readonly threads: number;
  /** For what the reference says. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** One model after the other, so that the larger of them must fit. Throws `bad_request` for a text that is too short. */
export async function evaluateModel(options: EvaluateOptions): Promise<Evaluation> {
  const { model, reference } = options;
  if (!reference) return await measureModel(options, model, undefined);
  const kept = await keepReference(options, reference);
  try {
    return await measureModel(options, model, { ...kept, ...reference });
  } finally {
    kept.rows.close();
  }
}

interface Kept {
  readonly rows: RowStore;
  readonly width: number;
  readonly perplexity: Mean;
  readonly tokens: readonly (readonly number[])[];
}

async function keepReference(options: EvaluateOptions, reference: NamedModel): Promise<Kept> {
  return await withModel(reference.path, loadOf(options, reference), async (study) => {
    const { width } = study;
    const windows = windowsOf(options, study);
    const rows = await openRowStore({ folder: options.folder, width, rows: scoredIn(windows) });
    try {
      const logprobs = await scoreWindows(study, { options, windows, label: reference.name }, (row) => rows.write(row));
      return { rows, width, perplexity: perplexityOf(logprobs), tokens: windows };
    } catch (error) {
      rows.close();
      throw error;
    }
  });
}

async function measureModel(
  options: EvaluateOptions,
  model: NamedModel,
  kept: (Kept & NamedModel) | undefined,
): Promise<Evaluation> {
  const size = await measureSize(model.path);
  const referenceSize = kept && (await measureSize(kept.path));
  return await withModel(model.path, loadOf(options, model), async (study) => {
    const windows = windowsOf(options, study);
    if (kept) checkComparable(kept, { model, study, windows });
    const differences = new Float64Array(kept ? scoredIn(windows) : 0);
    const agreements = new Float64Array(differences.length);
    const logprobs = await scoreWindows(
      study,
      { options, windows, label: model.name },
      kept &&
        ((row, index) => {
          const { divergence, agrees } = kept.rows.compare(index, row);
          differences[index] = divergence;
          agreements[index] = agrees ? 1 : 0;
        }),
    );
    const { questions, text, signal } = options;
    return {
      model: model.name,
      size,
      text: {
        name: text.name,
        windows: windows.length,
        windowTokens: windows[0]?.length ?? 0,
        scoredTokens: logprobs.length,
      },
      perplexity: perplexityOf(logprobs),
      ...(kept && referenceSize && { comparison: { ...compared(kept, differences, agreements), referenceSize } }),
      ...(questions && { choices: await answerAll(study, questions, options) }),
      speed: await measureSpeed(study, { windows, threads: options.threads, signal }),
    };
  });
}

function loadOf({ threads, signal, onProgress, windowTokens = 512 }: EvaluateOptions, { name }: NamedModel) {
  return { name, threads, signal, onProgress, contextTokens: Math.max(windowTokens, 512) };
}

function windowsOf({ text, windowTokens = 512, tokens = Infinity }: EvaluateOptions, study: Study): number[][] {
  const size = Math.min(windowTokens, study.contextTokens);
  const windows = cutWindows(text.text, study, { size, most: Math.max(1, Math.floor(tokens / size)) });
  if (windows.length > 0) return windows;
  throw new HearthError("bad_request", `${text.name} is shorter than a window of ${size} tokens.`, {
    hint: "Take a longer text.",
  });
}

/** The second half of each window: the first gives context. */
function scoredIn(windows: readonly (readonly number[])[]): number {
  return windows.reduce((sum, window) => sum + window.length - firstScored(window), 0);
}

function firstScored(window: readonly number[]): number {
  return Math.floor(window.length / 2) + 1;
}

interface Windows {
  readonly options: EvaluateOptions;
  readonly windows: readonly (readonly number[])[];
  readonly label: string;
}

/** `take` gets the logits in front of each scored token. They are looked at while the next window is computed. */
async function scoreWindows(
  study: Study,
  { options: { signal, onProgress, text }, windows, label }: Windows,
  take: ((row: Float32Array, index: number) => void) | undefined,
): Promise<number[]> {
  const most = Math.max(...windows.map((window) => window.length - firstScored(window)));
  const rooms = take ? [0, 1].map(() => new SharedArrayBuffer(most * study.width * 4)) : [];
  const logprobs: number[] = [];
  const score = (index: number) => {
    const window = windows[index];
    return window && study.score({ tokens: window, from: firstScored(window), logits: rooms[index % 2] }, signal);
  };
  let next = score(0);
  let looked = 0;
  for (const [index, window] of windows.entries()) {
    const scores = await next;
    next = score(index + 1);
    // What goes wrong with it is said when it is waited for.
    next?.catch(() => undefined);
    for (const logprob of scores?.logprobs ?? []) logprobs.push(logprob);
    const room = rooms[index % 2];
    const rows = room ? window.length - firstScored(window) : 0;
    for (let row = 0; row < rows; row++) {
      if (room) take?.(new Float32Array(room, row * study.width * 4, study.width), looked++);
    }
    onProgress?.(measured({ ...text, name: label }, (index + 1) / windows.length));
  }
  return logprobs;
}

interface Comparable {
  readonly model: NamedModel;
  readonly study: Study;
  readonly windows: readonly (readonly number[])[];
}

function checkComparable({ width, tokens }: Kept, { model, study, windows }: Comparable): void {
  if (width === study.width && JSON.stringify(tokens) === JSON.stringify(windows)) return;
  throw new HearthError(
    "bad_request",
    `${model.name} has another vocabulary than the reference: ${study.width} tokens, there ${width}, or other ones.`,
    { hint: "Compare with the model that it was made from." },
  );
}

const parts = Array.from({ length: 20 }, (_, index) => (index + 0.5) / 20).concat([0.9, 0.99, 0.999, 1]);

function compared(
  { name, perplexity }: Kept & NamedModel,
  differences: Float64Array,
  agreements: Float64Array,
): Omit<DivergenceFacts, "referenceSize"> {
  return {
    reference: name,
    referencePerplexity: perplexity,
    divergence: meanOf(differences),
    quantiles: quantilesOf(
      differences,
      parts.toSorted((a, b) => a - b),
    ),
    agreement: meanOf(agreements),
  };
}

const answerTokens = 48;

interface Speed {
  readonly windows: readonly (readonly number[])[];
  readonly threads: number;
  readonly signal: AbortSignal | undefined;
}

/** A text in steps of many tokens; and as an answer comes, one token after the other, each with the logits for the next. */
async function measureSpeed(study: Study, { windows, threads, signal }: Speed): Promise<SpeedFacts> {
  const text = windows[0] ?? [];
  const rate = async (tokens: readonly number[], from: number, stepRows?: number): Promise<number> => {
    const started = performance.now();
    await study.score({ tokens, from, ...(stepRows !== undefined && { stepRows }) }, signal);
    return ((tokens.length - 1) * 1000) / (performance.now() - started);
  };
  return {
    threads,
    textRate: await rate(text, text.length - 1),
    answerRate: await rate(text.slice(0, answerTokens), 1, 1),
    memoryBytes: study.usedBytes(),
  };
}
