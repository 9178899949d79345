import { HearthError } from "../../error.ts";
import type {
  CallOptions,
  EmbedRequest,
  EngineLoadOptions,
  EngineModel,
  EngineName,
  GenerateRequest,
  LoadedModel,
  LoadOptions,
  RerankRequest,
  ScoreRequest,
} from "../../spec/engine.ts";
import type { Capability } from "../../spec/model.ts";
import type { Perform, PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import type { LoadedDescription } from "./protocol.ts";
import type { HostOptions } from "./process.ts";
import type { Host } from "./spawn.ts";
import { spawnHost } from "./spawn.ts";

export interface HostedLoad extends Omit<HostOptions, "model"> {
  readonly engine: EngineName;
  /** Handed to the engine in the child. */
  readonly setup: unknown;
  readonly model: EngineModel;
  readonly options: LoadOptions;
}

/** A loaded model whose engine runs in the child process `pid`. */
export interface HostedModel extends LoadedModel {
  readonly pid: number | undefined;
}

/** Loads a model in a child process of its own. Nothing of the child is left when this throws. */
export async function loadHosted(load: HostedLoad, call: EngineLoadOptions = {}): Promise<HostedModel> {
  const { setup, model, options } = load;
  call.signal?.throwIfAborted();
  const host = spawnHost({ ...load, model: model.name });
  try {
    const description = await host.call("load", { setup, model, options }, call);
    return hostedModel(load.engine, host, description);
  } catch (error) {
    await host.dispose();
    throw loadError(error, model.name);
  }
}

/** A child that dies while it loads has not failed at its work yet. */
function loadError(error: unknown, model: string): unknown {
  if (!(error instanceof HearthError) || error.code !== "engine_failed") return error;
  return new HearthError("engine_load_failed", `Model "${model}" could not be loaded: ${error.message}`, {
    details: error.details,
    cause: error.cause,
    hint: "The file may be damaged (`hearth verify`) or not of a kind this engine can run.",
  });
}

const generating: readonly Capability[] = ["generate", "chat", "tools", "thinking", "insert"];

function hostedModel(engine: EngineName, host: Host, description: LoadedDescription): HostedModel {
  const { capabilities, device, contextTokens, parallel, samplingOptions, stats, scores, profiles, sleeps, performs } =
    description;
  return {
    engine,
    pid: host.pid,
    capabilities,
    device,
    contextTokens,
    parallel,
    samplingOptions: new Set(samplingOptions),
    died: host.died,
    tokenize: (parts, options) => host.call("tokenize", parts, options),
    detokenize: (tokens, options) => host.call("detokenize", tokens, options),
    ...(capabilities.some((name) => generating.includes(name)) && {
      generate: (request: GenerateRequest, options?: CallOptions) => host.generate(request, options?.signal),
    }),
    ...(capabilities.includes("embed") && {
      embed: (request: EmbedRequest, options?: CallOptions) => host.call("embed", request, options),
    }),
    ...(capabilities.includes("rerank") && {
      rerank: (request: RerankRequest, options?: CallOptions) => host.call("rerank", request, options),
    }),
    ...(performs && { perform: performOn(host) }),
    ...(stats && { stats: () => host.stats() ?? stats }),
    ...(scores && {
      score: (request: ScoreRequest, options?: CallOptions) => host.call("score", request, options),
    }),
    ...(sleeps && { sleep: () => host.call("sleep", undefined) }),
    ...(profiles && { profile: (options?: CallOptions) => host.call("profile", undefined, options) }),
    memory: () => host.memory() ?? description.memory,
    dispose: () => host.dispose(),
  };
}

function performOn(host: Host): Perform {
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    { signal, onPart }: PerformOptions<Name> = {},
  ): Promise<Tasks[Name]["result"]> =>
    await host.call(
      "perform",
      { task, request },
      // The child hands out the parts of the task that it was asked for.
      { signal, onPart: onPart && ((part) => onPart(part as Tasks[Name]["part"])) },
    );
}
