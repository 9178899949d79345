/** Threads that can be ended, and are started again when somebody calls. */
import { createDeferred } from "../../../util/deferred.ts";
import { askBy } from "./pool.ts";
import type { FlintThreads, OpenCall } from "./pool.ts";

export interface SleepingThreads extends FlintThreads {
  /** Ends them and gives their memory back, where that has not been done; false: something runs. */
  sleep(): Promise<boolean>;
}

export function createSleeper(first: FlintThreads, wake: () => Promise<FlintThreads>): SleepingThreads {
  const died = createDeferred<Error>();
  let current: FlintThreads | undefined;
  let waking: Promise<FlintThreads> | undefined;
  let leaving: Promise<void> | undefined;
  let [calls, disposed] = [0, false];
  const watch = (threads: FlintThreads): FlintThreads => {
    void threads.died.then(died.resolve);
    return (current = threads);
  };
  watch(first);

  const awake = (): Promise<FlintThreads> => {
    if (current) return Promise.resolve(current);
    waking ??= (async () => {
      await leaving;
      try {
        return watch(await wake());
      } finally {
        waking = undefined;
      }
    })();
    return waking;
  };

  const open: FlintThreads["open"] = (onReply): OpenCall => {
    let inner = current?.open(onReply);
    let opening: Promise<void> | undefined;
    let closed = false;
    calls++;
    const sendAwake = async (command: Parameters<OpenCall["send"]>[0]): Promise<void> => {
      try {
        const threads = await awake();
        if (closed) return;
        inner = threads.open(onReply);
        inner.send(command);
      } catch (error) {
        onReply({ type: "error", error: error instanceof Error ? error : new Error(String(error)) });
      }
    };
    return {
      send(command) {
        if (inner) return inner.send(command);
        opening = sendAwake(command);
      },
      async close() {
        if (!closed) calls--;
        closed = true;
        await opening;
        await inner?.close();
      },
    };
  };

  return {
    died: died.promise,
    open,
    ask: askBy(open),
    async sleep() {
      if (calls > 0 || waking || disposed) return false;
      const threads = current;
      current = undefined;
      if (threads) leaving = threads.dispose();
      await leaving;
      // The memory is large and the objects that hold it are small: the collector would see no reason to hurry.
      (globalThis as { gc?: () => void }).gc?.();
      return true;
    },
    async dispose() {
      disposed = true;
      const threads = current ?? (await waking?.catch(() => undefined));
      await leaving;
      await threads?.dispose();
    },
  };
}
