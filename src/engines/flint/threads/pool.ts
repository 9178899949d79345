/** The threads of one loaded model, as the thread that takes requests sees them. */
import { deserializeError, HearthError } from "../../../error.ts";
import { abortError, raceAbort } from "../../../util/abort.ts";
import { createDeferred } from "../../../util/deferred.ts";
import { loadCells } from "./load.ts";
import type { LoadSetup } from "./load.ts";
import type { Command, ComputeMessage, FileSource, LoadMessage, Reply, RoleMessage } from "./protocol.ts";

/** A thread, under Node or in a browser. */
export interface Thread {
  post(message: unknown): void;
  onMessage(listen: (message: Reply) => void): void;
  onFailure(listen: (error: Error) => void): void;
  end(): Promise<void>;
}

export type StartThread = (index: number) => Thread;

/** What the leader says of one command; errors are errors again. */
export type CallReply =
  | Exclude<Extract<Reply, { id: number }>, { type: "error" }>
  | { readonly type: "error"; readonly error: Error };
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
  /** Sends one command and waits for its answer, or until the leader has let go of what was cancelled. */
  ask<T extends CallReply["type"]>(
    command: CallCommand,
    type: T,
    signal?: AbortSignal,
  ): Promise<Extract<CallReply, { type: T }>>;
  /** Ends all threads; what still runs fails with `engine_failed`. Idempotent. */
  dispose(): Promise<void>;
}

export interface ThreadsOptions {
  readonly workers: number;
  readonly file: FileSource;
  readonly start: StartThread;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

const progressMs = 100;
/** Time for the leader to come to its end. */
const farewellMs = 1500;

/** What all workers load; each of them gets a number of its own. */
export interface WorkersLoad {
  readonly setup: Omit<LoadSetup, "index">;
  readonly file: FileSource;
  readonly draft?: { readonly setup: Omit<LoadSetup, "index">; readonly file: FileSource };
}

/** Threads that have no model yet. */
export interface StartedThreads {
  /** Has them load the model. */
  load(load: Omit<WorkersLoad, "file">): void;
  /** Resolves when they have loaded it and can compute. Throws, and has ended them, where that fails. */
  ready(message: ComputeMessage): Promise<FlintThreads>;
  end(): Promise<void>;
}

/** Starts workers, so that they are up when it is known what to load. */
export function startThreads({ workers, file, start, signal, onProgress, onNotice }: ThreadsOptions): StartedThreads {
  const threads = Array.from({ length: workers }, (_, index) => start(index));
  for (const thread of threads) {
    // From now on: what the cache on disk is like is said while the model is loaded.
    thread.onMessage((reply) => reply.type === "notice" && onNotice?.(reply.text));
  }
  const all = Promise.all(threads.map(loaded));
  // A failure is seen when `ready` waits.
  all.catch(() => undefined);
  threads.forEach((thread, index) => thread.post({ leads: index === 0 } satisfies RoleMessage));
  let timer: ReturnType<typeof setInterval> | undefined;
  let cells = new Int32Array(new SharedArrayBuffer(16));
  const stop = (): void => void Atomics.store(cells, loadCells.stop, 1);
  const rest = (): void => {
    clearInterval(timer);
    signal?.removeEventListener("abort", stop);
  };
  const end = async (): Promise<void> => {
    rest();
    stop();
    await Promise.all(threads.map((thread) => thread.end()));
  };
  return {
    load({ setup, draft }) {
      signal?.throwIfAborted();
      cells = new Int32Array(setup.loading);
      timer = setInterval(() => onProgress?.((cells[loadCells.kibibytes] ?? 0) * 1024), progressMs);
      signal?.addEventListener("abort", stop, { once: true });
      threads.forEach((thread, index) => {
        const second = draft && { ...draft, setup: { ...draft.setup, index } };
        thread.post({ setup: { ...setup, index }, file, draft: second } satisfies LoadMessage);
      });
    },
    async ready({ vocabulary, ...modules }) {
      threads.forEach((thread, index) =>
        thread.post({ ...modules, ...(index === 0 && { vocabulary }) } satisfies ComputeMessage),
      );
      try {
        await all;
        signal?.throwIfAborted();
      } catch (error) {
        await end();
        throw error;
      }
      rest();
      return createCalls(threads);
    },
    end,
  };
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
  const stopped = createDeferred<void>();
  leader.onMessage((reply) => {
    if (reply.type === "stopped") stopped.resolve();
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
      if (reply.type !== "token" && reply.type !== "begun" && reply.type !== "prompted") {
        state = "over";
        over.resolve();
      }
      onReply(reply);
    });
    return {
      send(command) {
        state = "running";
        leader.post({ ...command, id });
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
    ask: askBy(open),
    async dispose() {
      failAll(new HearthError("engine_failed", "The model was unloaded."));
      leader.post({ type: "stop" } satisfies Command);
      await Promise.race([stopped.promise, died.promise, new Promise((resolve) => setTimeout(resolve, farewellMs))]);
      await Promise.all(threads.map((thread) => thread.end()));
    },
  };
}

export function askBy(open: FlintThreads["open"]): FlintThreads["ask"] {
  return (command, type, signal) => ask({ open, command, type }, signal);
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
    // What the leader says of itself is true again when the caller knows the outcome.
    await call.close();
  }
}
