/** The child's side: runs any engine behind the protocol. The entry of an engine's child process calls `serveEngine`. */
import { HearthError, serializeError } from "../../error.ts";
import type { CallOptions, Engine, EngineMemory, GenerateRequest, LoadedModel } from "../../spec/engine.ts";
import type { HostCalls, HostReply, HostRequest, LoadedDescription } from "./protocol.ts";

type SetupEngine = (setup: unknown, notice: (text: string) => void) => Engine | Promise<Engine>;

export function serveEngine(createEngine: SetupEngine): void {
  const outbox: HostReply[] = [];
  const running = new Map<number, AbortController>();
  let model: LoadedModel | undefined;

  // What happens in one turn of the event loop goes as one message: with many sequences, many tokens do.
  const flush = (): void => {
    process.send?.(outbox.splice(0), undefined, undefined, () => {});
  };
  const post = (reply: HostReply): void => {
    if (outbox.push(reply) === 1) setImmediate(flush);
  };
  const loaded = (): LoadedModel => {
    if (!model) throw new HearthError("engine_failed", "No model is loaded.");
    return model;
  };
  const load = async (
    { setup, model: wanted, options }: HostCalls["load"]["params"],
    id: number,
    call: CallOptions,
  ) => {
    const engine = await createEngine(setup, (text) => post({ type: "notice", text }));
    model = await engine.load(wanted, options, {
      ...call,
      onProgress: (progress) => post({ type: "progress", id, progress }),
    });
    return describe(model);
  };
  const stream = async ({ id, params }: { id: number; params: GenerateRequest }, call: CallOptions): Promise<void> => {
    for await (const event of loaded().generate?.(params, call) ?? []) post({ type: "event", id, event });
  };
  const answer = async (request: Extract<HostRequest, { params: unknown }>, call: CallOptions): Promise<unknown> => {
    switch (request.type) {
      case "load":
        return await load(request.params, request.id, call);
      case "tokenize":
        return await loaded().tokenize(request.params, call);
      case "detokenize":
        return await loaded().detokenize(request.params, call);
      case "embed":
        return await loaded().embed?.(request.params, call);
      case "rerank":
        return await loaded().rerank?.(request.params, call);
      case "profile":
        return await loaded().profile?.(call);
      case "generate":
        await stream(request, call);
        return undefined;
      default:
        return undefined;
    }
  };
  const run = async (request: Extract<HostRequest, { params: unknown }>): Promise<void> => {
    const { id, type } = request;
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const value = await answer(request, { signal: controller.signal });
      // What a request has made of the memory is known before its caller asks.
      if (model) post({ type: "pong", memory: memoryOf(model) });
      post(type === "generate" ? { type: "end", id } : { type: "result", id, value });
    } catch (error) {
      post({ type: "error", id, error: serializeError(error) });
    } finally {
      running.delete(id);
    }
  };

  process.on("message", (request: HostRequest) => {
    switch (request.type) {
      case "cancel":
        running.get(request.id)?.abort();
        break;
      case "ping":
        post({ type: "pong", memory: model && memoryOf(model) });
        break;
      case "dispose":
        leave(running.size === 0);
        break;
      default:
        void run(request);
    }
  });
  process.on("disconnect", () => leave(false));
  // Ctrl-C and a stopping service reach the whole process group; the parent decides when this process ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
}

/** Native threads at work would hold up an orderly exit, and there is nothing to save: then the process kills itself. */
function leave(idle: boolean): void {
  if (idle) process.exit(0);
  process.kill(process.pid, "SIGKILL");
}

function describe(model: LoadedModel): LoadedDescription {
  const { capabilities, device, contextTokens, parallel, samplingOptions } = model;
  return {
    capabilities,
    device,
    contextTokens,
    parallel,
    samplingOptions: [...samplingOptions],
    memory: memoryOf(model),
    profiles: model.profile !== undefined,
  };
}

function memoryOf(model: LoadedModel): EngineMemory {
  return { ...model.memory(), residentBytes: process.memoryUsage.rss() };
}
