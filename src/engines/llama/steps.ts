import type { LlamaContextSequence, LlamaModel, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { LogprobEntry, TokenLogprob } from "../../spec/event.ts";
import { tokenBytes } from "./detokenize.ts";
import type { GrammarWatch } from "./guard.ts";
import type { Guesser } from "./guess.ts";
import type { RawLogits, Sampler } from "./internals.ts";
import { openSampler } from "./internals.ts";

/** One generated token. */
export interface Step {
  readonly token: Token;
  readonly logprob?: LogprobEntry;
}

export interface StepRequest {
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  /** What is left of the prompt: at least one token. */
  readonly tokens: readonly Token[];
  readonly options: SequenceEvaluateOptions;
  readonly topLogprobs: number | undefined;
  /** Prompt and answer so far, for the text of alternatives. Grows as the reader adds what it was given. */
  readonly history: readonly Token[];
  /** Under a grammar: limits the choice of each token. */
  readonly watch: GrammarWatch | undefined;
  /** Absent: nothing is guessed. */
  readonly guesser?: Guesser | undefined;
  /** Most tokens that the answer and the context may still have. */
  readonly most: number;
  readonly onGuess: (guessed: number, right: number) => void;
}

/** Evaluates the prompt's rest and generates until a token ends the text. */
export function generateSteps(request: StepRequest): AsyncIterable<Step> {
  const { model, sequence, options, topLogprobs, watch } = request;
  const sampler = openSampler({ sequence, model, options, watch });
  if (sampler) return sampledSteps(request, sampler);
  if (topLogprobs === undefined) return publicSteps(request);
  throw new HearthError("unsupported_option", "This version of the llama engine cannot report logprobs.", {
    hint: "`hearth engines update` installs the version that can.",
  });
}

async function* publicSteps({ sequence, tokens, options }: StepRequest): AsyncGenerator<Step> {
  for await (const token of sequence.evaluate([...tokens], options)) yield { token };
}

/**
 * Half again as fast as the public loop on small models. And what that reports as probabilities is what sampling left
 * of them, cut to the top k and bent by the temperature; callers want those of the model. Its guesses (`tokenPredictor`)
 * are no use here either: it draws for wrong guesses too and shows penalties only what was said before the guess, so that
 * both change the answer.
 */
async function* sampledSteps(request: StepRequest, sampler: Sampler): AsyncGenerator<Step> {
  const { model, options, topLogprobs, history, guesser, onGuess, most } = request;
  let { tokens } = request;
  let guess: readonly Token[] = [];
  let left = most;
  try {
    for (;;) {
      const chosen = await sampler.next({ tokens, guess, top: topLogprobs });
      onGuess(guess.length, chosen.length - 1);
      for (const { token, logits } of chosen) {
        if (token < 0) throw new Error("No token could be sampled.");
        if (!options.yieldEogToken && model.isEogToken(token)) return;
        yield logits
          ? { token, logprob: toEntry(logits, { model, token, history, count: topLogprobs ?? 0 }) }
          : { token };
      }
      const said = chosen.map(({ token }) => token);
      guesser?.tell(said);
      tokens = said.slice(-1);
      left -= said.length;
      // The last token that is wanted needs no guess.
      guess = (await guesser?.next(left - 1)) ?? [];
    }
  } finally {
    sampler.dispose();
  }
}

interface Place {
  readonly model: LlamaModel;
  readonly token: Token;
  readonly history: readonly Token[];
  readonly count: number;
}

export function toEntry({ pairs, total }: RawLogits, { model, token, history, count }: Place): LogprobEntry {
  const highest = pairs[1] ?? 0;
  const last = history.slice(-4);
  const describe = (id: number, logit: number): TokenLogprob => {
    const text = model.detokenize([id as Token], true, last);
    const bytes = tokenBytes(model, id as Token, text);
    return { token: id, text, logprob: logit - highest - Math.log(total), bytes };
  };
  const all = Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index], pairs[2 * index + 1]] as const);
  const chosen = all.findLast(([id]) => id === token);
  const top = all.slice(0, Math.min(count, all.length)).map(([id = 0, logit = -Infinity]) => describe(id, logit));
  return { ...describe(token, chosen?.[1] ?? -Infinity), top };
}
