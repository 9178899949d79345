/** ONNX Runtime behind the engine contract, in the process that it runs in. */
import { dirname, join, relative } from "node:path";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { HearthError } from "../../error.ts";
import type { Engine, EngineModel, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import { openPictures } from "../media/image.ts";
import type { Pictures } from "../media/image.ts";
import { createSoundDecoders } from "../media/sound.ts";
import type { ModelTasks, OnnxContext } from "./context.ts";
import { checkFiles, modelFolder, readConfig } from "./files.ts";
import { createLoadedModel } from "./model.ts";
import { openers } from "./openers.ts";
import { choosePlace } from "./place.ts";
import { refuseOnnx } from "./refuse.ts";
import type { OnnxSession } from "./session.ts";
import { createSession } from "./session.ts";
import type { OnnxLibrary, OnnxSetup } from "./setup.ts";
import type { Transformers } from "./transformers.ts";
import { importTransformers } from "./transformers.ts";
import { isWasmModule, offerWasmRuntime } from "./wasm.ts";

export function createNativeOnnx({ library }: OnnxSetup, notice: (text: string) => void): Engine {
  return {
    name: "onnx",
    refuse: refuseOnnx,
    async load(model, options, { signal, onProgress } = {}) {
      const progress = { phase: "load", label: model.name, totalBytes: model.info.weightBytes } as const;
      onProgress?.({ ...progress, completedBytes: 0 });
      const loaded = await load({ library, notice, model, options });
      if (signal?.aborted) {
        await loaded.dispose();
        signal.throwIfAborted();
      }
      onProgress?.({ ...progress, completedBytes: model.info.weightBytes });
      return loaded;
    },
  };
}

interface Load {
  readonly library: OnnxLibrary;
  readonly notice: (text: string) => void;
  readonly model: EngineModel;
  readonly options: LoadOptions;
}

async function load({ library, notice, model, options }: Load): Promise<LoadedModel> {
  const folder = modelFolder(model.path);
  const paths = weightFiles(model);
  checkFiles(paths);
  const isWasm = isWasmModule(library.runtime);
  const threads = options.threads ?? availableParallelism();
  const asked = options.device ?? "auto";
  const provider = await choosePlace({ module: library.runtime, device: asked, threads, paths, notice });
  const sessions = new Map<string, Promise<OnnxSession>>();
  let pictures: Promise<Pictures> | undefined;
  let transformers: Promise<Transformers> | undefined;
  const context: OnnxContext = {
    name: model.name,
    info: model.info,
    folder,
    path: model.path,
    device: provider.device,
    isWasm,
    sounds: soundDecoders(library.pack),
    threads,
    options,
    async session(file) {
      const path = file === undefined ? model.path : join(folder, file);
      if (!paths.includes(path)) throw new HearthError("internal", `${file ?? path} was not checked.`);
      const opened =
        sessions.get(path) ?? createSession({ module: library.runtime, path, threads, providers: provider.providers });
      sessions.set(path, opened);
      return await opened;
    },
    config: (name) => readConfig(folder, name),
    pictures: async () => await (pictures ??= openPictures(library.sharp)),
    transformers: async () => await (transformers ??= openTransformers(library)),
  };
  const open = openers[String(model.info.metadata["kind"])];
  const tasks: ModelTasks = open ? await open(context) : {};
  return createLoadedModel({
    context,
    tasks,
    options,
    async dispose() {
      await tasks.dispose?.();
      for (const session of await Promise.allSettled(sessions.values())) {
        if (session.status === "fulfilled") await session.value.dispose();
      }
    },
  });
}

/** Packs of earlier versions have none: WAV is read all the same. */
function soundDecoders(pack: string): OnnxContext["sounds"] {
  const has = existsSync(join(pack, "node_modules", "mpg123-decoder"));
  return has ? { openDecoder: createSoundDecoders(pack) } : {};
}

async function openTransformers({ runtime, transformers }: OnnxLibrary): Promise<Transformers> {
  if (isWasmModule(runtime)) await offerWasmRuntime(runtime);
  return await importTransformers(transformers);
}

/** Every file that a session of this model may be made of: those of its precision in its folder, or it alone. */
function weightFiles({ path, info }: EngineModel): string[] {
  const { metadata } = info;
  const folder = modelFolder(path);
  const roles = ["ocr.find", "ocr.read", "ocr.turn"].flatMap((role) =>
    typeof metadata[role] === "string" ? [metadata[role]] : [],
  );
  if (roles.length > 0) return roles.map((name) => inside(folder, name));
  if (typeof metadata["dtype"] !== "string") return [path];
  const weights = dirname(path);
  return readdirSync(weights)
    .filter((name) => name.endsWith(".onnx") && precisionOf(name) === precisionOf(path))
    .map((name) => join(weights, name));
}

/** End of the name of a file of weights, as transformers.js asks for it. */
function precisionOf(path: string): string {
  return /_(fp16|quantized|u?int8|q4|q2|q1|q[421]f16|bnb4)\.onnx$/.exec(path)?.[1] ?? "";
}

function inside(folder: string, name: string): string {
  const path = join(folder, name);
  if (!relative(folder, path).startsWith("..")) return path;
  throw new HearthError("model_malformed", `The file ${name} is not in the folder of the model.`);
}
