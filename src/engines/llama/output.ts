import type { LlamaModel, Token } from "node-llama-cpp";
import type { GenerateEvent } from "../../spec/event.ts";
import { createStopMatcher } from "../../util/stop.ts";
import { createDetokenizer } from "./detokenize.ts";
import { createJsonWatch } from "./watch.ts";
import type { Step } from "./steps.ts";

export interface OutputOptions {
  readonly model: LlamaModel;
  readonly prompt: readonly Token[];
  readonly stop: readonly string[];
  /** The text is one JSON value, and nothing follows it. */
  readonly json: boolean;
  readonly most: number;
}

/** Why no further token is wanted. */
export interface OutputEnd {
  readonly reason: "stop" | "length";
  readonly stop?: string;
}

/** From tokens to shown text: whole characters, nothing of a stop string, nothing behind a complete JSON value. */
export interface Output {
  readonly over: OutputEnd | undefined;
  take(step: Step): GenerateEvent;
  /** Text that was held back, once there are no more tokens. */
  flush(): GenerateEvent | undefined;
}

export function createOutput({ model, prompt, stop, json, most }: OutputOptions): Output {
  const detokenizer = createDetokenizer(model, prompt);
  const stops = createStopMatcher(stop);
  const watch = json ? createJsonWatch() : undefined;
  let count = 0;
  let over: OutputEnd | undefined = most <= 0 ? { reason: "length" } : undefined;

  const show = (text: string): string => {
    const end = watch?.push(text);
    const step = stops.push(end === undefined ? text : text.slice(0, end));
    if (step.stop !== undefined) over = { reason: "stop", stop: step.stop };
    else if (end !== undefined) over = { reason: "stop" };
    return step.text;
  };
  return {
    get over() {
      return over;
    },
    take({ token, logprob }) {
      count++;
      const text = show(detokenizer.push(token));
      if (!over && count >= most) over = { reason: "length" };
      return { type: "token-delta", text, tokens: [token], ...(logprob && { logprobs: [logprob] }) };
    },
    flush() {
      if (over?.stop !== undefined) return undefined;
      const last = detokenizer.flush();
      const text = (last === "" ? "" : show(last)) + stops.flush();
      return text === "" ? undefined : { type: "token-delta", text, tokens: [] };
    },
  };
}
