import type { LlamaContextSequence, LlamaModel, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import type { LogprobEntry, TokenLogprob } from "../../spec/event.ts";
import { tokenBytes } from "./detokenize.ts";
import { openSequence } from "./internals.ts";
import type { SampledArray } from "./internals.ts";

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
  /** Tokens before the next one, for the text of alternatives. */
  readonly history: readonly Token[];
}

/** Evaluates the prompt's rest and generates until a token ends the text. */
export function generateSteps(request: StepRequest): AsyncIterable<Step> {
  return request.topLogprobs === undefined ? plainSteps(request) : logprobSteps(request, request.topLogprobs);
}

async function* plainSteps({ sequence, tokens, options }: StepRequest): AsyncGenerator<Step> {
  for await (const token of sequence.evaluate([...tokens], options)) yield { token };
}

/**
 * node-llama-cpp gives probabilities as sampling left them, cut to the top k and bent by the temperature. What callers
 * want are those of the model, so each step reads the logits once more before anything was done to them.
 */
async function* logprobSteps(request: StepRequest, count: number): AsyncGenerator<Step> {
  const { model, sequence, options, history } = request;
  const internals = openSequence(sequence, model);
  const sampler = internals.createSampler();
  const reader = internals.createSampler();
  let tokens = request.tokens;
  try {
    for (;;) {
      const [token, sampled] = await internals.decode(tokens, async (index) => {
        const chosen = await internals.sample(index, sampler, options);
        return [
          chosen as Token,
          await internals.logits(index, reader, { token: chosen, top: Math.max(1, count) }),
        ] as const;
      });
      if (token < 0) throw new Error("No token could be sampled.");
      if (model.isEogToken(token) && !options.yieldEogToken) return;
      yield { token, logprob: toEntry(sampled, { model, token, count, last: history.slice(-4) }) };
      tokens = [token];
    }
  } finally {
    sampler.dispose();
    reader.dispose();
  }
}

interface Place {
  readonly model: LlamaModel;
  readonly token: Token;
  readonly count: number;
  readonly last: readonly Token[];
}

function toEntry([, , , pairs, total]: SampledArray, { model, token, count, last }: Place): LogprobEntry {
  const highest = pairs[1] ?? 0;
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
