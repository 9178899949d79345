/** How likely a prompt is, by llama.cpp: the logits of every place, a batch at a time. */
import type { ControlledEvaluateInputItem, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import type { ScoreRequest, ScoreResult } from "../../spec/engine.ts";
import type { PromptLogprob } from "../../spec/event.ts";
import { abortError } from "../../util/abort.ts";
import { tokenBytes } from "./detokenize.ts";
import type { GenerateContext } from "./generate.ts";
import { batchPriority, refuseAdapters } from "./generate.ts";
import type { RawLogits } from "./internals.ts";
import { nextTurn } from "./internals.ts";
import { toEntry } from "./steps.ts";
import { tooLong } from "./text.ts";

export async function score(
  request: ScoreRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): Promise<ScoreResult> {
  const { cache, contextTokens, model, text, stats, batchTokens } = context;
  if (request.adapters) throw refuseAdapters();
  const prompt = text.promptTokens(request.prompt);
  if (prompt.length > contextTokens) throw tooLong(prompt.length, contextTokens);
  const { topLogprobs: top, from = 1, tenant, priority } = request;
  const turn = await cache.take({ tenant, priority, prompt }, signal);
  const entries: PromptLogprob[] = [];
  try {
    await turn.clear();
    // What would follow the last token nobody asks.
    for (let at = 0; at < prompt.length - 1; at += batchTokens) {
      if (signal?.aborted) throw abortError(signal);
      const end = Math.min(prompt.length - 1, at + batchTokens);
      const part = { request, model, prompt, at, end, from: Math.max(1, from), top };
      entries.push(...(await scorePart(turn.sequence, part)));
      turn.advance();
      await nextTurn();
    }
    if (signal?.aborted) throw abortError(signal);
    stats.prompt({ promptTokens: prompt.length, cachedTokens: 0, restoredTokens: 0 });
  } finally {
    turn.release();
  }
  return { promptTokens: prompt.length, first: describeFirst(model, prompt), entries };
}

interface Part {
  readonly request: ScoreRequest;
  readonly model: LlamaModel;
  readonly prompt: readonly Token[];
  /** The tokens of the part. Each gives the logprob of the one after it. */
  readonly at: number;
  readonly end: number;
  readonly from: number;
  readonly top: number;
}

async function scorePart(sequence: LlamaContextSequence, part: Part): Promise<PromptLogprob[]> {
  const { request, prompt, at, end, from, top } = part;
  const input = prompt.slice(at, end).map((token, index): ControlledEvaluateInputItem => {
    const place = at + index + 1;
    const next = prompt[place];
    if (place < from || next === undefined) return token;
    // Sorting the whole vocabulary takes longer than the choice of the highest, which comes with the selected one.
    const most = top > 0 ? { includeTop: top } : { includeSelected: true };
    const logits = { filter: { tokens: [next], ...most } };
    // Greedy: the one chain that leaves the logits as they are.
    return [token, { generateNext: { options: { temperature: 0 }, totalLogitWeight: true, logits } }];
  });
  const outputs = await sequence.controlledEvaluate(input, { evaluationPriority: batchPriority(request) });
  return input.flatMap((_, index) => {
    const { logits, totalLogitWeight: total } = outputs[index]?.next ?? {};
    return logits && total !== undefined ? [describe(part, at + index + 1, { pairs: [...logits].flat(), total })] : [];
  });
}

function describe({ model, prompt, top }: Part, place: number, logits: RawLogits): PromptLogprob {
  const token = prompt[place] as Token;
  const history = prompt.slice(Math.max(0, place - 4), place);
  const index = logits.pairs.findIndex((id, position) => position % 2 === 0 && id === token) / 2;
  const entry = toEntry(logits, { model, token, history, count: top });
  // Behind the likeliest stands the token itself, wherever its place is.
  return index >= 0 && index < Math.max(1, top) ? { ...entry, rank: index + 1 } : entry;
}

function describeFirst(model: LlamaModel, [token]: readonly Token[]): ScoreResult["first"] {
  const first = token as Token;
  const text = model.detokenize([first], true);
  return { token: first, text, bytes: tokenBytes(model, first, text) };
}
