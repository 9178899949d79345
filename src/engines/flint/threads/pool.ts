/** The threads of one loaded model, as the thread that takes requests sees them. */
import { deserializeError, HearthError } from "../../../error.ts";
import { abortError, raceAbort } from "../../../util/abort.ts";
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

/** What the leader says of one command; errors are errors again. */
export type CallReply = Exclude<Extract<Reply, { id: number }>, { type: "error" }> | { readonly type: "error"; readonly error: Error };
type Without<T> = T extends unknown ? Omit<T, "id"> : never;
type CallCommand = Without<Exclude<Extract<Command, { id: number }>, { type: "cancel" }>>;

export interface OpenCall {
  send(command: CallCommand): void;
  /** Cancels what still runs, and resolves when the leader has let go of it. */
  close(): Promise<void>;
}

export interface FlintThreads {
  /** Resolves with the reason when a thread has ended by itself: nothing can be computed any more. */
  readonly died: Promise<Error>;
  open(onReply: (reply: CallReply) => void): OpenCall;
  /** Sends one command and waits for its answer. */
  ask<T extends CallReply["type"]>(
    command: CallCommand,
    type: T,
    signal?: AbortSignal,
  ): Promise<Extract<CallReply, { type: T }>>;
  /** Ends all threads; what still runs fails with `engine_failed`. Idempotent. */
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
    if (reply.type === "load-failed") reject(deserializeError(reply.error));
  });
  thread.onFailure(reject);
  return promise;
}

function createCalls(threads: readonly Thread[]): FlintThreads {
  const leader = threads[0];
  if (!leader) throw new RangeError("at least one thread is needed");
  const calls = new Map<number, (reply: CallReply) => void>();
  const died = createDeferred<Error>();
  let nextId = 1;
  let failed: Error | undefined;
  const failAll = (error: Error): void => {
    failed ??= error;
    for (const take of calls.values()) take({ type: "error", error });
  };
  leader.onMessage((reply) => {
    if (!("id" in reply)) return;
    calls.get(reply.id)?.(reply.type === "error" ? { ...reply, error: deserializeError(reply.error) } : reply);
  });
  for (const thread of threads) {
    thread.onFailure((cause) => {
      failAll(new HearthError("engine_failed", `A thread of flint failed: ${cause.message}`, { cause }));
      died.resolve(cause);
    });
  }

  const open = (onReply: (reply: CallReply) => void): OpenCall => {
    if (failed) throw failed;
    const id = nextId++;
    const over = createDeferred<void>();
    let state: "new" | "running" | "over" = "new";
    calls.set(id, (reply) => {
      if (reply.type !== "token" && reply.type !== "begun") {
        state = "over";
        over.resolve();
      }
      onReply(reply);
    });
    return {
      send(command) {
        state = "running";
        leader.post({ ...command, id } as Command);
      },
      async close() {
        if (state === "running") {
          leader.post({ type: "cancel", id } satisfies Command);
          await over.promise;
        }
        calls.delete(id);
      },
    };
  };
  return {
    died: died.promise,
    open,
    ask: (command, type, signal) => ask({ open, command, type }, signal),
    async dispose() {
      failAll(new HearthError("engine_failed", "The model was unloaded."));
      leader.post({ type: "stop" } satisfies Command);
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

interface Question<T> {
  readonly open: FlintThreads["open"];
  readonly command: CallCommand;
  readonly type: T;
}

async function ask<T extends CallReply["type"]>(
  { open, command, type }: Question<T>,
  signal: AbortSignal | undefined,
): Promise<Extract<CallReply, { type: T }>> {
  const { promise, resolve, reject } = createDeferred<Extract<CallReply, { type: T }>>();
  const call = open((reply) => {
    if (reply.type === "error") reject(reply.error);
    else if (reply.type === type) resolve(reply as Extract<CallReply, { type: T }>);
  });
  call.send(command);
  try {
    return await raceAbort(promise, signal);
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  } finally {
    void call.close();
  }
}
