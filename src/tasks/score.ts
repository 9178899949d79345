import { HearthError } from "../error.ts";
import type { Lease } from "../runtime/contract.ts";
import type { GenerateRequest } from "../spec/engine.ts";
import type { PromptLogprobs } from "../spec/event.ts";

export interface Scored {
  readonly promptTokens: number;
  readonly logprobs: PromptLogprobs;
  readonly ms: number;
}

interface Scoring {
  readonly lease: Lease;
  /** Its prompt, as the answer will go on from it. */
  readonly request: GenerateRequest;
  readonly signal: AbortSignal;
}

/** How likely the prompt of a generation is. Throws `unsupported_option` where the engine cannot tell. */
export async function scorePrompt({ lease, request, signal }: Scoring, topLogprobs: number): Promise<Scored> {
  const { loaded } = lease;
  if (!loaded.score) {
    throw new HearthError(
      "unsupported_option",
      `The engine "${loaded.engine}" does not report the logprobs of prompt tokens.`,
      { details: { option: "promptLogprobs", engine: loaded.engine } },
    );
  }
  const { prompt, adapters, tenant, priority } = request;
  const startedAt = performance.now();
  const { promptTokens, first, entries } = await loaded.score(
    {
      prompt,
      topLogprobs,
      ...(adapters && { adapters }),
      ...(tenant !== undefined && { tenant }),
      ...(priority && { priority }),
    },
    { signal },
  );
  return { promptTokens, logprobs: { first, entries }, ms: performance.now() - startedAt };
}
