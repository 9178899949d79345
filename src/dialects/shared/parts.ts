import type { TaskName, Tasks } from "../../spec/perform.ts";
import type { PerformTaskRequest, PerformTaskResult } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import { createChannel } from "../../util/channel.ts";

/** What a task gives as it works: its parts, and at the end its result. */
export type TaskEvent<Name extends TaskName> =
  | { readonly type: "part"; readonly part: Tasks[Name]["part"] }
  | { readonly type: "result"; readonly result: PerformTaskResult<Name> };

/**
 * Runs a task as a stream. Resolves when the first event is there, so that a refusal is still an HTTP status. When nobody
 * reads on, the task is aborted.
 */
export async function startTask<Name extends TaskName>(
  hearth: Hearth,
  request: PerformTaskRequest<Name> & { readonly signal: AbortSignal },
): Promise<AsyncIterable<TaskEvent<Name>>> {
  const channel = createChannel<TaskEvent<Name>>();
  const left = new AbortController();
  const signal = AbortSignal.any([request.signal, left.signal]);
  const run = async (): Promise<void> => {
    try {
      const onPart = (part: Tasks[Name]["part"]): void => channel.push({ type: "part", part });
      channel.push({ type: "result", result: await hearth.perform<Name>({ ...request, signal, onPart }) });
      channel.end();
    } catch (error) {
      channel.fail(error);
    }
  };
  void run();
  const events = channel[Symbol.asyncIterator]();
  const first = await events.next();
  let begun = false;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (begun) return await events.next();
        begun = true;
        return first;
      },
      async return() {
        left.abort();
        return await Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
}

/** Not an async generator on purpose: `return` on one that never ran would leave the task behind it running. */
export function mapTask<Name extends TaskName, T>(
  events: AsyncIterable<TaskEvent<Name>>,
  map: (event: TaskEvent<Name>) => readonly T[],
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const source = events[Symbol.asyncIterator]();
      let ready: readonly T[] = [];
      let position = 0;
      return {
        async next() {
          while (position >= ready.length) {
            const result = await source.next();
            if (result.done === true) return { done: true, value: undefined };
            ready = map(result.value);
            position = 0;
          }
          return { done: false, value: ready[position++] as T };
        },
        async return() {
          await source.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
