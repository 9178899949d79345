/** Perplexity as `llama-perplexity` counts it, for any engine: a text in windows, the second half of each scored. */
import { readFileSync } from "node:fs";

export interface Perplexity {
  readonly perplexity: number;
  /** Standard error of `perplexity`. */
  readonly error: number;
  /** Tokens that were scored. */
  readonly tokens: number;
  readonly windows: number;
}

/** English prose and code, about 64 KB: written for this, or from the documents and the source of this project. */
export function perplexityText(): string {
  return readFileSync(new URL("../../../compress/evaluate/english.txt", import.meta.url), "utf8");
}

export interface WindowOptions {
  /** Tokens in a window. */
  readonly size: number;
  /** Replaces the first token of each window; undefined where the tokenizer does not begin texts with one. */
  readonly beginning: number | undefined;
}

/** Whole windows of a tokenized text; what is left at the end is not scored. The text has no beginning token yet. */
export function splitWindows(text: readonly number[], { size, beginning }: WindowOptions): number[][] {
  const tokens = beginning === undefined ? text : [beginning, ...text];
  return Array.from({ length: Math.floor(tokens.length / size) }, (_, index) => {
    const window = tokens.slice(index * size, (index + 1) * size);
    if (beginning !== undefined) window[0] = beginning;
    return window;
  });
}

/** Log-probabilities (natural) of the tokens of the window from position `first + 1` on, each given those before it. */
export type ScoreWindow = (window: readonly number[], first: number) => Promise<readonly number[]>;

/** Runs all windows. Tokens 1 to size / 2 of each only give context. */
export async function measurePerplexity(
  windows: readonly (readonly number[])[],
  score: ScoreWindow,
): Promise<Perplexity> {
  const losses: number[] = [];
  for (const window of windows) {
    for (const logprob of await score(window, window.length / 2)) losses.push(-logprob);
  }
  const mean = average(losses);
  const variance = average(losses.map((loss) => (loss - mean) ** 2));
  const perplexity = Math.exp(mean);
  const error = perplexity * Math.sqrt(variance / (losses.length - 1));
  return { perplexity, error, tokens: losses.length, windows: windows.length };
}

function average(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
