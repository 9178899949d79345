/** How likely a prompt is, by one loaded model: the leader computes, numbers become entries. */
import type { ScoreRequest, ScoreResult } from "../../spec/engine.ts";
import type { PromptLogprob, TokenLogprob } from "../../spec/event.ts";
import { abortError } from "../../util/abort.ts";
import { chooseAdapters } from "./adapters/choose.ts";
import type { GenerateContext } from "./generate.ts";
import { describeToken } from "./output.ts";
import { tooLong } from "./text.ts";
import type { Scores } from "./threads/scoring.ts";
import type { Tokenizer } from "./tokenizer/contract.ts";

export async function score(
  request: ScoreRequest,
  context: Pick<GenerateContext, "threads" | "text" | "contextTokens" | "adapters">,
  signal: AbortSignal | undefined,
): Promise<ScoreResult> {
  if (signal?.aborted) throw abortError(signal);
  const { threads, text, contextTokens } = context;
  const { topLogprobs: top, priority = "interactive" } = request;
  const tokens = text.promptTokens(request.prompt);
  if (tokens.length > contextTokens) throw tooLong(tokens.length, contextTokens);
  const from = Math.max(1, request.from ?? 1);
  const adapters = chooseAdapters(request, context.adapters);
  const { scores } = await threads.ask({ type: "score", tokens, from, top, adapters, priority }, "scores", signal);
  return {
    promptTokens: tokens.length,
    first: describeToken(tokens[0] ?? 0, text.tokenizer),
    entries: tokens.slice(from).map((token, index) => toEntry({ token, index, top }, scores, text.tokenizer)),
  };
}

interface Place {
  readonly token: number;
  readonly index: number;
  readonly top: number;
}

function toEntry({ token, index, top }: Place, scores: Scores, tokenizer: Tokenizer): PromptLogprob {
  const likeliest: TokenLogprob[] = [];
  for (let at = index * top; at < (index + 1) * top; at++) {
    const other = scores.topTokens[at] ?? -1;
    if (other >= 0) likeliest.push({ ...describeToken(other, tokenizer), logprob: scores.topLogprobs[at] ?? 0 });
  }
  return {
    ...describeToken(token, tokenizer),
    logprob: scores.logprobs[index] ?? 0,
    rank: scores.ranks[index] ?? 0,
    top: likeliest,
  };
}
