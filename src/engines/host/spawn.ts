import type { HearthError } from "../../error.ts";
import { deserializeError } from "../../error.ts";
import type { EngineMemory, EngineStats, GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Progress } from "../../spec/model.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import { abortError } from "../../util/abort.ts";
import { createDeferred } from "../../util/deferred.ts";
import type { HostOptions } from "./process.ts";
import { startProcess } from "./process.ts";
import type { HostCallName, HostCalls, HostReply, HostRequest } from "./protocol.ts";
import { createEventStream } from "./stream.ts";

export interface HostCallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onPart?: ((part: Tasks[TaskName]["part"]) => void) | undefined;
}

/** A child process that runs one engine with one model. */
export interface Host {
  readonly pid: number | undefined;
  /** Resolves when the child is gone without having been asked to go. */
  readonly died: Promise<void>;
  call<Name extends HostCallName>(
    name: Name,
    params: HostCalls[Name]["params"],
    options?: HostCallOptions,
  ): Promise<HostCalls[Name]["result"]>;
  generate(request: GenerateRequest, signal: AbortSignal | undefined): AsyncIterable<GenerateEvent>;
  /** As the child said last; undefined before it has said anything. */
  memory(): EngineMemory | undefined;
  /** The same; undefined too where the engine keeps none. */
  stats(): EngineStats | undefined;
  /** Asks the child to go, and kills it after 2 s. Requests in flight throw `engine_failed`. Idempotent. */
  dispose(): Promise<void>;
}

/** Who waits for replies with one id. */
interface Caller {
  onReply(reply: HostReply): void;
  fail(error: HearthError): void;
}

/** Starts the child and tells its replies apart by id. */
export function spawnHost(options: HostOptions): Host {
  const callers = new Map<number, Caller>();
  let nextId = 1;
  let memory: EngineMemory | undefined;
  let stats: EngineStats | undefined;
  const onPong = (pong: Extract<HostReply, { type: "pong" }>): void => {
    memory = pong.memory ?? memory;
    if (pong.stats) stats = { ...pong.stats, atMs: performance.now() };
  };
  const child = startProcess(options, {
    isBusy: () => callers.size > 0,
    isAwaited: (id) => callers.has(id),
    onReply(reply) {
      if (reply.type === "pong") onPong(reply);
      else if ("id" in reply) callers.get(reply.id)?.onReply(reply);
    },
    onEnd(error) {
      for (const caller of callers.values()) caller.fail(error);
      callers.clear();
    },
  });
  const begin = (id: number, caller: Caller): void => {
    callers.set(id, caller);
    child.setBusy(true);
  };
  const end = (id: number): boolean => {
    const was = callers.delete(id);
    if (callers.size === 0) child.setBusy(false);
    return was;
  };

  return {
    pid: child.pid,
    died: child.died,
    memory: () => memory,
    stats: () => stats,
    async call(name, params, { signal, onProgress, onPart } = {}) {
      if (signal?.aborted) throw abortError(signal);
      if (child.ended) throw child.ended;
      const id = nextId++;
      const { promise, resolve, reject } = createDeferred<unknown>();
      const onReply = (reply: HostReply): void => {
        if (reply.type === "result") resolve(reply.value);
        else if (reply.type === "error") reject(deserializeError(reply.error));
        else if (reply.type === "progress") onProgress?.(reply.progress);
        else if (reply.type === "part") onPart?.(reply.part);
      };
      begin(id, { onReply, fail: reject });
      const onAbort = (): void => {
        child.send({ type: "cancel", id });
        if (signal) reject(abortError(signal));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      child.send({ type: name, id, params } as HostRequest);
      try {
        // The child answers each name with the result of that name: see `serveEngine`.
        return (await promise) as HostCalls[typeof name]["result"];
      } finally {
        signal?.removeEventListener("abort", onAbort);
        end(id);
      }
    },
    generate(request, signal) {
      const id = nextId++;
      const stream = createEventStream<GenerateEvent>({
        signal,
        onStart() {
          if (child.ended) {
            stream.fail(child.ended);
            return;
          }
          begin(id, { onReply, fail: (error) => stream.fail(error) });
          child.send({ type: "generate", id, params: request });
        },
        onCancel() {
          if (end(id)) child.send({ type: "cancel", id });
        },
      });
      const onReply = (reply: HostReply): void => {
        if (reply.type === "event") {
          stream.push(reply.event);
          return;
        }
        end(id);
        if (reply.type === "error") stream.fail(deserializeError(reply.error));
        else stream.end();
      };
      return stream;
    },
    dispose: () => child.dispose(),
  };
}
