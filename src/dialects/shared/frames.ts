import type { ChatEvent } from "../../spec/event.ts";

export interface FrameMapping<T> {
  map(event: ChatEvent): readonly T[];
  /** Frames after the last event. */
  end(): readonly T[];
}

/**
 * Frames of a stream of events. Not an async generator on purpose: `return` on a generator that never ran skips its
 * `finally`, and the events behind it would keep their model busy when a client leaves early.
 */
export function mapEvents<T>(
  events: AsyncIterable<ChatEvent>,
  mapping: FrameMapping<T>,
  first: readonly T[] = [],
): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => createFrames(events[Symbol.asyncIterator](), mapping, first) };
}

function createFrames<T>(
  source: AsyncIterator<ChatEvent>,
  mapping: FrameMapping<T>,
  first: readonly T[],
): AsyncIterator<T> {
  let ready = first;
  let position = 0;
  let ended = false;
  return {
    async next() {
      while (position >= ready.length) {
        if (ended) return { done: true, value: undefined };
        const result = await source.next();
        ended = result.done === true;
        ready = result.done === true ? mapping.end() : mapping.map(result.value);
        position = 0;
      }
      return { done: false, value: ready[position++] as T };
    },
    async return() {
      ended = true;
      ready = [];
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}
