import { HearthError } from "../../error.ts";
import type { CallOptions, GenerateRequest, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import { raceAbort } from "../../util/abort.ts";
import { withDrawing } from "../media/draw.ts";
import type { ModelTasks, OnnxContext } from "./context.ts";
import { inferWith } from "./tasks/infer.ts";
import { createTurns } from "./turns.ts";

export interface LoadedOptions {
  readonly context: OnnxContext;
  readonly tasks: ModelTasks;
  readonly options: LoadOptions;
  readonly dispose: () => Promise<void>;
}

/** Requests that are taken in at once: those that become one run are worth more than the others. */
const together = { batches: 32, alone: 4 };

export function createLoadedModel({ context, tasks, options, dispose }: LoadedOptions): LoadedModel {
  const { info, device } = context;
  const { text, embed, rerank, generate, batches, samplingOptions } = tasks;
  const died = new Promise<void>(() => {});
  let disposed: Promise<void> | undefined;
  const needText = (): NonNullable<ModelTasks["text"]> => {
    if (text) return text;
    throw new HearthError("unsupported_capability", `Model "${context.name}" works with no texts.`);
  };
  return {
    engine: "onnx",
    capabilities: info.capabilities,
    device,
    contextTokens: text?.contextTokens ?? info.trainContextTokens,
    parallel: tasks.parallel ?? Math.max(options.parallel ?? 1, batches === true ? together.batches : together.alone),
    samplingOptions: samplingOptions ?? new Set(),
    died,
    tokenize: async (parts) => needText().tokenize(parts),
    detokenize: async (tokens: readonly number[]) => needText().detokenize(tokens),
    ...(generate && { generate: (request: GenerateRequest, call?: CallOptions) => generate(request, call?.signal) }),
    ...(embed && { embed: (request, call?: CallOptions) => raceAbort(embed(request, call?.signal), call?.signal) }),
    ...(rerank && { rerank: (request, call?: CallOptions) => raceAbort(rerank(request, call?.signal), call?.signal) }),
    perform: withDrawing(performer(context, tasks), async () => await context.pictures()),
    memory: () => ({ ramBytes: info.weightBytes, vramBytes: 0 }),
    dispose: async () => await (disposed ??= dispose()),
  };
}

/** Work that uses all threads goes one after the other, but for what becomes one run by itself. */
function performer(context: OnnxContext, { tasks = {}, batches }: ModelTasks): NonNullable<LoadedModel["perform"]> {
  const turns = createTurns();
  const all: NonNullable<ModelTasks["tasks"]> = { ...tasks, infer: inferWith(() => context.session()) };
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    options: PerformOptions<Name> = {},
  ): Promise<Tasks[Name]["result"]> => {
    const run = all[task];
    if (!run) throw new HearthError("unsupported_capability", `Model "${context.name}" has no task "${task}".`);
    const { signal } = options;
    const work = async (): Promise<Tasks[Name]["result"]> => await run(request, options);
    return await raceAbort(batches === true ? work() : turns(work, signal), signal);
  };
}
