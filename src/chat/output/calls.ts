import type { OutputEvent } from "./event.ts";
import type { RawCall } from "./json.ts";

/** Gives calls their numbers and ids. */
export interface CallCounter {
  readonly count: number;
  events(calls: readonly RawCall[]): OutputEvent[];
}

export function createCallCounter(newId: () => string): CallCounter {
  let count = 0;
  return {
    get count() {
      return count;
    },
    events: (calls) =>
      calls.flatMap((call): OutputEvent[] => {
        const callIndex = count++;
        const id = newId();
        const { name } = call;
        return [
          { type: "tool-call-start", callIndex, id, name },
          { type: "tool-call-delta", callIndex, argumentsDelta: call.arguments },
          { type: "tool-call-end", callIndex, id, name, arguments: call.arguments },
        ];
      }),
  };
}

/** 96 random bits, so that nobody guesses the id of another's call. */
export function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
