/** Finds out how much each column of a model's matrices counts, from the activations that a text causes. */
import type { Observed } from "../../engines/flint/graph/observe.ts";
import { HearthError } from "../../error.ts";
import type { Progress } from "../../spec/model.ts";
import { withModel } from "../compute.ts";
import { perplexityOf } from "../evaluate/statistics.ts";
import type { Mean } from "../evaluate/statistics.ts";
import type { Text } from "../evaluate/text.ts";
import { cutWindows } from "../evaluate/text.ts";
import { measured } from "../progress.ts";
import type { ImportanceEntry, ImportanceFile } from "./contract.ts";

export interface CollectOptions {
  readonly name: string;
  readonly text: Text;
  readonly threads: number;
  /** Tokens of a piece of text. Default 512. */
  readonly chunkTokens?: number | undefined;
  /** Most pieces. */
  readonly chunks?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Collected {
  readonly file: ImportanceFile;
  /** Mean cosine between what goes into each layer and what comes out of it. */
  readonly cosines: readonly number[];
  /** Of the text, as a sign that text and model belong together. */
  readonly perplexity: Mean;
  readonly tokens: number;
  /** Experts to which no token went, and all experts. */
  readonly unseen: number;
  readonly experts: number;
}

/** Fewer tokens than that say little about some thousand columns. */
export const leastTokens = 4096;

/** Throws `bad_request` for a text that is too short, and what a load throws. */
export async function collectImportance(path: string, options: CollectOptions): Promise<Collected> {
  const { name, text, threads, chunkTokens: wanted = 512, chunks: most = Infinity, signal, onProgress } = options;
  const load = { name, contextTokens: wanted, threads, observe: true, signal, onProgress };
  return await withModel(path, load, async (study) => {
    const size = study.contextTokens;
    const windows = cutWindows(text.text, study, { size, most });
    const tokens = windows.length * size;
    if (tokens < leastTokens) throw tooShort(text, tokens);
    const logprobs: number[] = [];
    for (const [index, window] of windows.entries()) {
      // Of the last layer only rows whose logits are wanted are there to be seen.
      const scores = await study.score({ tokens: window, from: 1 }, signal);
      for (const logprob of scores.logprobs) logprobs.push(logprob);
      onProgress?.(measured(text, (index + 1) / windows.length));
    }
    const observed = study.observed();
    const entries = entriesOf(observed);
    const counts = [...entries.values()].flatMap((entry) => (entry.counts.length > 1 ? [...entry.counts] : []));
    return {
      file: { entries, datasets: [text.name], chunks: windows.length, chunkTokens: size },
      cosines: cosinesOf(observed),
      perplexity: perplexityOf(logprobs),
      tokens,
      unseen: counts.filter((count) => count === 0).length,
      experts: counts.length,
    };
  });
}

function tooShort({ name }: Text, tokens: number): HearthError {
  return new HearthError(
    "bad_request",
    `${name} gives ${tokens} tokens in whole pieces; at least ${leastTokens} are needed.`,
    {
      hint: "Take a longer text: about 50,000 tokens, and of the kind that the model will be used for.",
      details: { tokens },
    },
  );
}

function cosinesOf(observed: readonly Observed[]): readonly number[] {
  const layers = observed.filter(({ name }) => name.startsWith("layer."));
  return layers.map(({ sums, counts }) => (sums[0] ?? 0) / Math.max(1, counts[0] ?? 0));
}

/** Of the layers: embeddings are looked up, and the output keeps more bits anyway. */
function entriesOf(observed: readonly Observed[]): ReadonlyMap<string, ImportanceEntry> {
  const layers = observed.filter(({ name }) => name.startsWith("blk."));
  return new Map(
    layers.map(({ name, sums, counts }) => [
      name,
      { sums: Float32Array.from(sums), counts: Float32Array.from(counts) },
    ]),
  );
}
