import { availableParallelism } from "node:os";
import { HearthError } from "../../error.ts";
import type { Engine, EngineModel, LoadedModel } from "../../spec/engine.ts";
import type { Perform, PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import { abortError } from "../../util/abort.ts";
import { createTurns } from "../../util/turns.ts";
import { withDrawing } from "../media/draw.ts";
import { openPictures } from "../media/image.ts";
import type { Pictures } from "../media/image.ts";
import type { ModelTasks, Opened, RunTask, TfliteContext } from "./context.ts";
import { findLabels, labelAt } from "./labels.ts";
import { openLiteRt } from "./litert.ts";
import type { LiteRt } from "./litert.ts";
import { openModel, openPartner } from "./open.ts";
import type { TfliteSetup } from "./setup.ts";
import { modelTasks } from "./tasks/table.ts";
import { disagreement, provideWebGpu } from "./webgpu.ts";

/** With more of them, models of this size wait longer than they compute. */
const mostThreads = 4;

/** LiteRT in this process, which runs one model. */
export function createNativeTflite({ library }: TfliteSetup, notice: (text: string) => void): Engine {
  return {
    name: "tflite",
    refuse: () => undefined,
    async load(model, { device = "auto", threads = Math.min(mostThreads, availableParallelism()) }) {
      const missing = device === "webgpu" ? await provideWebGpu(library.webgpu) : undefined;
      const litert = await openLiteRt({ library, threads });
      const job = { litert, pictures: once(async () => await openPictures(library.sharp)) };
      if (device !== "webgpu") return await loadModel(model, { ...job, accelerator: "wasm" });
      const reason = missing ?? (await whyNotWebGpu(model, litert));
      if (reason === undefined) return await loadModel(model, { ...job, accelerator: "webgpu" });
      notice(`${model.name} runs on the CPU, not on webgpu: ${reason}.`);
      return await loadModel(model, { ...job, accelerator: "wasm" });
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => await (made ??= make());
}

async function whyNotWebGpu({ path, name }: EngineModel, litert: LiteRt): Promise<string | undefined> {
  const opened: Opened[] = [];
  try {
    for (const accelerator of ["webgpu", "wasm"] as const)
      opened.push(await openModel(path, { litert, accelerator, name }));
    const [gpu, cpu] = opened;
    return gpu && cpu && (await disagreement(gpu.session, cpu.session));
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, "") : String(error);
  } finally {
    for (const { session } of opened) session.dispose();
  }
}

interface LoadJob {
  readonly litert: LiteRt;
  readonly accelerator: "wasm" | "webgpu";
  readonly pictures: () => Promise<Pictures>;
}

async function loadModel({ name, path }: EngineModel, job: LoadJob): Promise<LoadedModel> {
  const { litert, accelerator, pictures } = job;
  const opened = await openModel(path, { litert, accelerator, name });
  const partner = await openPartner(path, opened, { litert, accelerator });
  const context: TfliteContext = { ...opened, name, partner, pictures, label: labelsOf(path, opened) };
  const tasks = modelTasks(context);
  return {
    engine: "tflite",
    device: accelerator === "webgpu" ? "webgpu" : "cpu",
    contextTokens: 0,
    parallel: 1,
    capabilities: Object.keys(tasks) as TaskName[],
    samplingOptions: new Set(),
    // The parent notices when this process dies; here nobody would be left to tell.
    died: new Promise<void>(() => {}),
    tokenize: async () => await Promise.reject(noText(name)),
    detokenize: async () => await Promise.reject(noText(name)),
    perform: withDrawing(performWith(tasks, name), pictures),
    memory: () => ({ ramBytes: litert.heapBytes(), vramBytes: 0 }),
    async dispose() {
      partner?.session.dispose();
      opened.session.dispose();
      await Promise.resolve();
    },
  };
}

function labelsOf(path: string, { metadata, kind }: Opened): (index: number) => string {
  const labels = findLabels(path, metadata);
  return (index) => labelAt(labels, index, kind === "detector");
}

/** One run after the other: they share the memory of the module. */
function performWith(tasks: ModelTasks, model: string): Perform {
  const turns = createTurns();
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    options: PerformOptions<Name> = {},
  ): Promise<Tasks[Name]["result"]> => {
    const run: RunTask<Name> | undefined = tasks[task];
    if (!run) {
      const known = Object.keys(tasks).join(", ");
      throw new HearthError("unsupported_capability", `The model "${model}" cannot ${task}; it can ${known}.`);
    }
    const { signal } = options;
    return await turns(async () => {
      const result = await run(request, options).catch(endAfterTrap);
      if (signal?.aborted) throw abortError(signal);
      return result;
    }, signal);
  };
}

/** After a trap the memory of the module is in no known state: this process ends, and the next request starts another. */
function endAfterTrap(error: unknown): never {
  const isTrap = error instanceof HearthError && error.cause instanceof WebAssembly.RuntimeError;
  // The answer goes first.
  if (isTrap) setTimeout(() => process.exit(1), 100);
  throw error;
}

function noText(model: string): HearthError {
  return new HearthError("unsupported_capability", `The model "${model}" knows no text.`);
}
