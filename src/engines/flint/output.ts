/** From generated tokens to shown text: whole characters, and nothing of a stop string. */
import type { GenerateEvent, LogprobEntry, TokenLogprob } from "../../spec/event.ts";
import { createStopMatcher } from "../../util/stop.ts";
import type { TokenChoice } from "./threads/protocol.ts";
import type { Tokenizer } from "./tokenizer/contract.ts";

export interface OutputOptions {
  readonly tokenizer: Tokenizer;
  readonly stop: readonly string[];
  readonly topLogprobs: number | undefined;
  /** The answer begins a text: the space that some vocabularies put there is not shown. */
  readonly prompt: readonly number[];
}

export interface Output {
  /** The stop string that ended the text. */
  readonly stopped: string | undefined;
  take(choice: TokenChoice): GenerateEvent;
  /** Text that was held back, once there are no more tokens. */
  flush(): GenerateEvent | undefined;
}

export function createOutput({ tokenizer, stop, topLogprobs }: OutputOptions): Output {
  const decoder = new TextDecoder();
  const stops = createStopMatcher(stop);
  let stopped: string | undefined;
  const show = (text: string): string => {
    const step = stops.push(text);
    if (step.stop !== undefined) stopped = step.stop;
    return step.text;
  };
  return {
    get stopped() {
      return stopped;
    },
    take(choice) {
      const { token } = choice;
      const bytes = tokenizer.endTokens.has(token) ? new Uint8Array(0) : tokenizer.tokenBytes(token);
      const text = show(decoder.decode(bytes, { stream: true }));
      const logprobs = topLogprobs === undefined ? {} : { logprobs: [toEntry(choice, tokenizer)] };
      return { type: "token-delta", text, tokens: [token], ...logprobs };
    },
    flush() {
      if (stopped !== undefined) return undefined;
      const last = decoder.decode();
      const text = (last === "" ? "" : show(last)) + stops.flush();
      return text === "" ? undefined : { type: "token-delta", text, tokens: [] };
    },
  };
}

function toEntry({ token, logprob = 0, top = [] }: TokenChoice, tokenizer: Tokenizer): LogprobEntry {
  const describe = (id: number, value: number): TokenLogprob => {
    const bytes = tokenizer.tokenBytes(id);
    return { token: id, text: new TextDecoder().decode(bytes), logprob: value, bytes: [...bytes] };
  };
  return { ...describe(token, logprob), top: top.map((one) => describe(one.token, one.logprob)) };
}
