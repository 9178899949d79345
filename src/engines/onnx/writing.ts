/** Pipelines that write a text: it is handed out as it grows, and the work ends when the caller leaves. */
import type { PerformOptions } from "../../spec/perform.ts";
import type { OnnxContext } from "./context.ts";
import type { Pipeline } from "./transformers.ts";

/** Words for `generate` of transformers.js. */
export interface WritingOptions {
  readonly streamer: unknown;
  readonly stopping_criteria: unknown;
}

export async function writing(
  context: OnnxContext,
  { tokenizer }: Pipeline,
  { signal, onPart }: PerformOptions<"translate"> | PerformOptions<"caption">,
): Promise<WritingOptions> {
  const { TextStreamer, InterruptableStoppingCriteria } = await context.transformers();
  const criteria = new InterruptableStoppingCriteria();
  signal?.addEventListener("abort", () => criteria.interrupt(), { once: true });
  const streamer = new TextStreamer(tokenizer, {
    skip_prompt: true,
    skip_special_tokens: true,
    callback_function: (text) => {
      if (text !== "" && signal?.aborted !== true) onPart?.({ text });
    },
  });
  return { streamer, stopping_criteria: criteria };
}
