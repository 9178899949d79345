/** The child's side: runs any engine behind the protocol. The entry of an engine's child process calls `serveEngine`. */
import { HearthError, serializeError } from "../../error.ts";
import type { CallOptions, Engine, EngineMemory, GenerateRequest, LoadedModel } from "../../spec/engine.ts";
import { createBeat } from "./beat.ts";
import { createMailbox } from "./mailbox.ts";
import type { Handled } from "./mailbox.ts";
import type { HostCalls, HostReply, HostRequest, LoadedDescription } from "./protocol.ts";
import { createResident } from "./resident.ts";

/** Less than the parent waits. */
const farewellMs = 1800;

type SetupEngine = (setup: unknown, notice: (text: string) => void) => Engine | Promise<Engine>;

/** The parent's picture of the model is never older than this while requests run. */
const beatMs = 500;

export function serveEngine(createEngine: SetupEngine): void {
  const { post, receive } = createMailbox();
  const running = new Map<number, AbortController>();
  let model: LoadedModel | undefined;

  const pong = (): void => post({ type: "pong", memory: model && memoryOf(model), stats: model?.stats?.() });
  const beat = createBeat(pong, beatMs);
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
  const perform = async ({ id, params }: { id: number; params: HostCalls["perform"]["params"] }, call: CallOptions) =>
    await loaded().perform?.(params.task, params.request, {
      ...call,
      onPart: (part) => post({ type: "part", id, part }),
    });
  const answer = async (request: Extract<HostRequest, { params: unknown }>, call: CallOptions): Promise<unknown> => {
    switch (request.type) {
      case "load":
        return await load(request.params, request.id, call);
      case "tokenize":
        return await loaded().tokenize(request.params, call);
      case "detokenize":
        return await loaded().detokenize(request.params, call);
      case "score":
        return await loaded().score?.(request.params, call);
      case "embed":
        return await loaded().embed?.(request.params, call);
      case "rerank":
        return await loaded().rerank?.(request.params, call);
      case "perform":
        return await perform(request, call);
      case "profile":
        return await loaded().profile?.(call);
      case "sleep":
        return await loaded().sleep?.();
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
    beat.begin();
    const reply = await answer(request, { signal: controller.signal }).then<HostReply, HostReply>(
      (value) => (type === "generate" ? { type: "end", id } : { type: "result", id, value }),
      (error: unknown) => ({ type: "error", id, error: serializeError(error) }),
    );
    running.delete(id);
    beat.end();
    // What a request has made of the model is known before its caller asks.
    pong();
    post(reply);
  };

  const handle = (request: Handled): void => {
    switch (request.type) {
      case "cancel":
        running.get(request.id)?.abort();
        break;
      case "ping":
        pong();
        break;
      case "dispose":
        void sayGoodbye(running.values(), model);
        break;
      default:
        void run(request);
    }
  };
  process.on("message", (requests: HostRequest[]) => receive(requests, handle));
  process.on("disconnect", leave);
  // Ctrl-C and a stopping service reach the whole process group; the parent decides when this process ends.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
}

/** An engine may have something to save. */
async function sayGoodbye(running: Iterable<AbortController>, model: LoadedModel | undefined): Promise<void> {
  setTimeout(leave, farewellMs);
  for (const controller of running) controller.abort();
  try {
    await model?.dispose();
  } finally {
    process.exit(0);
  }
}

/** Native threads at work would hold up an orderly exit. */
function leave(): void {
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
    stats: model.stats?.(),
    scores: model.score !== undefined,
    profiles: model.profile !== undefined,
    sleeps: model.sleep !== undefined,
    performs: model.perform !== undefined,
  };
}

const resident = createResident();

function memoryOf(model: LoadedModel): EngineMemory {
  return { ...model.memory(), residentBytes: resident() };
}
