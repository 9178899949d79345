import type { ChatEvent } from "../../spec/event.ts";

/** `parallel_tool_calls: false`: the first tool call of each answer is the only one that is passed on. */
export function keepFirstToolCall(events: AsyncIterable<ChatEvent>): AsyncIterable<ChatEvent> {
  return { [Symbol.asyncIterator]: () => filterCalls(events[Symbol.asyncIterator]()) };
}

function filterCalls(source: AsyncIterator<ChatEvent>): AsyncIterator<ChatEvent> {
  return {
    async next() {
      for (;;) {
        const result = await source.next();
        if (result.done === true || !("callIndex" in result.value) || result.value.callIndex === 0) return result;
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}
