/** Threads that quantize, and how far they are. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { deserializeError } from "../../error.ts";
import { cells } from "./pieces.ts";
import { runTask } from "./task.ts";
import type { PieceTask, WorkerReply } from "./task.ts";

export interface ThreadsOptions extends Omit<PieceTask, "progress"> {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Gets the weights that are done. */
  readonly onProgress?: ((weights: number) => void) | undefined;
}

const progressMs = 100;

/** Resolves when all pieces are written. Throws what stopped a thread, or the reason of the signal; by then all have ended. */
export async function runThreads({ threads, signal, onProgress, ...task }: ThreadsOptions): Promise<void> {
  signal?.throwIfAborted();
  const progress = new SharedArrayBuffer(12);
  if (threads === 0) return runTask({ ...task, progress });
  const counts = new Int32Array(progress);
  const stop = (): void => void Atomics.store(counts, cells.stop, 1);
  signal?.addEventListener("abort", stop, { once: true });
  const timer = setInterval(() => onProgress?.(Atomics.load(counts, cells.done) * 1000), progressMs);
  const entry = new URL(`./worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const work = Array.from({ length: threads }, async () => {
    const worker = new Worker(entry, { workerData: { ...task, progress } satisfies PieceTask });
    try {
      const [reply] = (await once(worker, "message")) as [WorkerReply];
      if (reply.error) throw deserializeError(reply.error);
    } catch (error) {
      stop();
      throw error;
    } finally {
      await worker.terminate();
    }
  });
  try {
    const results = await Promise.allSettled(work);
    signal?.throwIfAborted();
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", stop);
  }
}
