/** Threads that quantize, and how far they are. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { workerEnvironment } from "../../config/environment.ts";
import { deserializeError } from "../../error.ts";
import { cells } from "./progress.ts";
import type { PieceTask, WorkerReply } from "./task.ts";

export interface RunOptions extends Omit<PieceTask, "progress"> {
  readonly signal?: AbortSignal | undefined;
  /** Gets the weights that are done. */
  readonly onProgress?: ((weights: number) => void) | undefined;
}

/** Threads that come up while it is found out what they have to do. */
export interface QuantizeThreads {
  /** Resolves when all pieces are written. Throws what stopped a thread, or the reason of the signal; by then all have ended. */
  run(options: RunOptions): Promise<void>;
  /** Idempotent. */
  end(): Promise<void>;
}

const progressMs = 100;

/** 0: the work is done in the caller's thread. */
export function startQuantizeThreads(count: number): QuantizeThreads {
  const entry = new URL(`./worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(entry, { env: workerEnvironment() }));
  const end = async (): Promise<void> => void (await Promise.all(workers.map((worker) => worker.terminate())));
  return {
    async run({ signal, onProgress, ...rest }) {
      signal?.throwIfAborted();
      const task = { ...rest, progress: new SharedArrayBuffer(12) };
      if (count === 0) return await (await import("./task.ts")).runTask(task);
      const counts = new Int32Array(task.progress);
      const stop = (): void => void Atomics.store(counts, cells.stop, 1);
      signal?.addEventListener("abort", stop, { once: true });
      const timer = setInterval(() => onProgress?.(Atomics.load(counts, cells.done) * 1000), progressMs);
      try {
        const results = await Promise.allSettled(workers.map((worker) => runWorker(worker, task, stop)));
        signal?.throwIfAborted();
        const failed = results.find((result) => result.status === "rejected");
        if (failed) throw failed.reason;
      } finally {
        clearInterval(timer);
        signal?.removeEventListener("abort", stop);
        await end();
      }
    },
    end,
  };
}

/** What stops one thread stops them all. */
async function runWorker(worker: Worker, task: PieceTask, stop: () => void): Promise<void> {
  try {
    const answer = once(worker, "message");
    worker.postMessage(task);
    const [reply] = (await answer) as [WorkerReply];
    if (reply.error) throw deserializeError(reply.error);
  } catch (error) {
    stop();
    throw error;
  }
}
