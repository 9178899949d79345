/** The threads of one loaded model, as the thread that takes requests sees them. */
import { deserializeError, HearthError } from "../../../error.ts";
import type { SerializedError } from "../../../error.ts";
import { createDeferred } from "../../../util/deferred.ts";
import type { Command, FileSource, Reply, StartMessage } from "./protocol.ts";
import { loadCells } from "./worker.ts";
import type { WorkerSetup } from "./worker.ts";

/** A thread, under Node or in a browser. */
export interface Thread {
  post(message: unknown): void;
  onMessage(listen: (message: Reply) => void): void;
  onFailure(listen: (error: Error) => void): void;
  end(): Promise<void>;
}

export type StartThread = (start: StartMessage) => Thread;

type IdReply = Extract<Reply, { id: number }>;
type Without<T> = T extends unknown ? Omit<T, "id"> : never;

export interface OpenCall {
  send(command: Without<Extract<Command, { id: number }>>): void;
  /** Cancels what still runs, and resolves when the leader has let go of it. */
  close(): Promise<void>;
}

export interface FlintThreads {
  open(onReply: (reply: IdReply) => void): OpenCall;
  /** Sends one command and waits for its answer. */
  ask<T extends IdReply["type"]>(command: Without<Extract<Command, { id: number }>>, type: T, signal?: AbortSignal): Promise<Extract<IdReply, { type: T }>>;
  dispose(): Promise<void>;
}

export interface ThreadsOptions {
  readonly setup: Omit<WorkerSetup, "index">;
  readonly file: FileSource;
  readonly start: StartThread;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

const progressMs = 100;

/** Starts the workers and waits until they have loaded the model. */
export async function startThreads(options: ThreadsOptions): Promise<FlintThreads> {
  const { setup, file, start, signal, onProgress } = options;
  const threads = Array.from({ length: setup.workers }, (_, index) => start({ setup: { ...setup, index }, file }));
  const loading = new Int32Array(setup.loading);
  const timer = setInterval(() => onProgress?.((loading[loadCells.kibibytes] ?? 0) * 1024), progressMs);
  const stop = (): void => void Atomics.store(loading, loadCells.stop, 1);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all(threads.map(loaded));
    signal?.throwIfAborted();
  } catch (error) {
    stop();
    await Promise.all(threads.map((thread) => thread.end()));
    throw error;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", stop);
  }
  return createCalls(threads);
}

function loaded(thread: Thread): Promise<void> {
  const { promise, resolve, reject } = createDeferred<void>();
  thread.onMessage((reply) => {
    if (reply.type === "loaded") resolve();
    if (reply.type === "load-failed") reject(new HearthError("engine_load_failed", reply.message));
  });
  thread.onFailure(reject);
  return promise;
}

function createCalls(threads: readonly Thread[]): FlintThreads {
  const leader = threads[0];
  if (!leader) throw new RangeError("at least one thread is needed");
  const calls = new Map<number, (reply: IdReply) => void>();
  let nextId = 1;
  let failed: Error | undefined;
  const failAll = (error: Error): void => {
    failed = error;
    for (const [id, take] of calls) take({ type: "error", id, error });
  };
  leader.onMessage((reply) => {
    if (!("id" in reply)) return;
    const ready = reply.type === "error" ? { ...reply, error: deserializeError(reply.error as SerializedError) } : reply;
    calls.get(reply.id)?.(ready);
  });
  for (const thread of threads) thread.onFailure(failAll);

  const open = (onReply: (reply: IdReply) => void): OpenCall => {
    const id = nextId++;
    const over = createDeferred<void>();
    let ended = false;
    calls.set(id, (reply) => {
      if (reply.type !== "token") {
        ended = true;
        over.resolve();
      }
      onReply(reply);
    });
    return {
      send(command) {
        if (failed) throw failed;
        leader.post({ ...command, id });
      },
      async close() {
        if (!ended && !failed) {
          leader.post({ type: "cancel", id } satisfies Command);
          await over.promise;
        }
        calls.delete(id);
      },
    };
  };
  return {
    open,
    async ask(command, type, signal) {
      const { promise, resolve, reject } = createDeferred<IdReply>();
      const call = open((reply) => (reply.type === "error" ? reject(reply.error) : resolve(reply)));
      const onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        call.send(command);
        // The leader answers each command with the reply of its kind.
        return (await promise) as Extract<IdReply, { type: typeof type }>;
      } finally {
        signal?.removeEventListener("abort", onAbort);
        void call.close();
      }
    },
    async dispose() {
      leader.post({ type: "stop" } satisfies Command);
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}
