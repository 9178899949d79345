/** From generated tokens to shown text: whole characters, and nothing of a stop string. */
import type { GenerateEvent, LogprobEntry, TokenText } from "../../spec/event.ts";
import { createTextStream } from "./sampling/stop.ts";
import type { StopStep } from "../../util/stop.ts";
import type { TokenChoice } from "./threads/protocol.ts";
import type { Tokenizer } from "./tokenizer/contract.ts";

export interface OutputOptions {
  readonly tokenizer: Tokenizer;
  readonly stop: readonly string[];
  readonly topLogprobs: number | undefined;
}

export interface Output {
  /** The stop string that ended the text. */
  readonly stopped: string | undefined;
  take(choice: TokenChoice): GenerateEvent;
  /** Text that was held back, once there are no more tokens. */
  flush(): GenerateEvent | undefined;
}

export function createOutput({ tokenizer, stop, topLogprobs }: OutputOptions): Output {
  const stream = createTextStream(stop);
  let stopped: string | undefined;
  const show = (step: StopStep): string => {
    stopped = step.stop;
    return step.text;
  };
  return {
    get stopped() {
      return stopped;
    },
    take(choice) {
      const { token } = choice;
      // A token that ends a text says nothing, where the caller wants to go on behind it.
      const text = show(stream.push(tokenizer.endTokens.has(token) ? undefined : tokenizer.tokenBytes(token)));
      const logprobs = topLogprobs === undefined ? {} : { logprobs: [toEntry(choice, tokenizer)] };
      return { type: "token-delta", text, tokens: [token], ...logprobs };
    },
    flush() {
      if (stopped !== undefined) return undefined;
      const text = show(stream.flush());
      return text === "" ? undefined : { type: "token-delta", text, tokens: [] };
    },
  };
}

function toEntry({ token, logprob = 0, top = [] }: TokenChoice, tokenizer: Tokenizer): LogprobEntry {
  return {
    ...describeToken(token, tokenizer),
    logprob,
    top: top.map((one) => ({ ...describeToken(one.token, tokenizer), logprob: one.logprob })),
  };
}

/** A token as reports of logprobs show it. */
export function describeToken(token: number, { tokenBytes }: Pick<Tokenizer, "tokenBytes">): TokenText {
  const bytes = tokenBytes(token);
  return { token, text: new TextDecoder().decode(bytes), bytes: [...bytes] };
}
