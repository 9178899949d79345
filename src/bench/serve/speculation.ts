/** One user, with guesses ahead and without: on text that repeats its prompt, and on text that does not. */
import { compareGuessing } from "./guessing.ts";
import type { FigureRow, Scenario } from "./scenario.ts";
import { passages, questions, repeatPrompt } from "./texts.ts";

export interface SpeculationSizes {
  /** Most tokens of an answer. */
  readonly tokens: number;
  /** Texts of each run. */
  readonly texts: number;
}

/** Prompts of `texts.ts` with a chat template around them are shorter. */
const promptTokens = 512;

const rates: readonly FigureRow[] = [
  { name: "with", label: "decode, guessing ahead", unit: "tok/s" },
  { name: "without", label: "decode, without", unit: "tok/s" },
  { name: "ratio", label: "with : without", unit: "x" },
];

export function createRepeat({ tokens, texts }: SpeculationSizes): Scenario {
  return {
    name: "repeat",
    text: `one user, ${texts} texts to repeat, greedy, at most ${tokens} tokens each`,
    neededTokens: promptTokens + tokens,
    figures: [
      ...rates,
      { name: "copied", label: "of the answer from the prompt", unit: "%" },
      { name: "same", label: "same answer without", unit: "yes" },
    ],
    run: async (kit) =>
      await compareGuessing(kit, "repeat", (run) =>
        pick(passages, run, texts).map((text) => ({
          text: repeatPrompt(text),
          tokens,
          temperature: 0,
          ignoreEos: false,
        })),
      ),
  };
}

export function createOrdinary({ tokens, texts }: SpeculationSizes): Scenario {
  return {
    name: "ordinary",
    text: `one user, ${texts} questions, temperature 0.8, ${tokens} tokens each`,
    neededTokens: promptTokens + tokens,
    figures: rates,
    run: async (kit) =>
      await compareGuessing(kit, "ordinary", (run) =>
        // A greedy answer of a small model falls into a loop sooner or later; this one does not.
        pick(questions, run, texts).map((text) => ({ text, tokens, temperature: 0.8, seed: run, ignoreEos: true })),
      ),
  };
}

function pick(texts: readonly string[], run: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => texts[(run * count + index) % texts.length] ?? "");
}
