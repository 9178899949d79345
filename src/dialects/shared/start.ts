import { HearthError } from "../../error.ts";
import type { ChatEvent } from "../../spec/event.ts";

export type StartEvent = Extract<ChatEvent, { type: "start" }>;

/** A generation that was accepted: refusals were thrown before it existed. */
export interface Started {
  readonly start: StartEvent;
  /** What follows `start`. */
  readonly events: AsyncIterable<ChatEvent>;
}

/** Waits for `start`, so that a refusal is still an HTTP status and the receipt can be a header. */
export async function startEvents(events: AsyncIterable<ChatEvent>): Promise<Started> {
  const iterator = events[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true || first.value.type !== "start") {
    await iterator.return?.();
    throw new HearthError("internal", "A generation did not begin with a start event.");
  }
  return { start: first.value, events: { [Symbol.asyncIterator]: () => iterator } };
}
