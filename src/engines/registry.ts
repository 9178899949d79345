import { engineEnvironment } from "../config/environment.ts";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import { projectorPath } from "../formats/projector.ts";
import type { Engine, EngineFootprint, EngineLoadOptions, LoadOptions } from "../spec/engine.ts";
import { chooseEngine } from "./choose.ts";
import type { EngineQuestion, Engines } from "./contract.ts";
import { planDiskCache, withDiskCache } from "./disk-cache.ts";
import { isRefusal, withFallback } from "./fallback.ts";
import type { LibraryOptions } from "./libraries.ts";
import { findLibrary, llamaLibraries, needPack } from "./libraries.ts";
import type { LlamaEngine } from "./llama/engine.ts";
import type { RunNpm } from "./npm.ts";

export interface EnginesOptions {
  readonly dataFolder: string;
  /** Where the disk cache lies. Absent: there is none, but for loads that name one. */
  readonly cacheFolder?: string;
  readonly settings?: Pick<Settings, "offline" | "diskCache">;
  /** One line for people, e.g. that an engine is being installed. */
  readonly onNotice?: (text: string) => void;
  readonly npm?: RunNpm;
  /** Environment of the engines' processes. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The engines of this version. Opens nothing until an engine is asked for. */
export function createEngines(options: EnginesOptions): Engines {
  const inspections = createInspections(options);
  let llama: Promise<Engine> | undefined;
  let flint: Promise<Engine> | undefined;
  let speech: Promise<Engine> | undefined;
  let onnx: Promise<Engine> | undefined;
  let tflite: Promise<Engine> | undefined;
  const { onNotice, cacheFolder, settings } = options;
  const keeping = (engine: Engine): Engine =>
    cacheFolder === undefined ? engine : withDiskCache(engine, () => planDiskCache(cacheFolder, settings?.diskCache));
  const onFlintNotice = once(onNotice);
  const openLlamaOnce = async (): Promise<Engine> => await (llama ??= openLlama(options).then(keeping));
  const openFlint = async (): Promise<Engine> => {
    const { createFlintEngine } = await import("./flint/engine.ts");
    const { picturesModule } = await import("./media/pack.ts");
    const flint = createFlintEngine({
      env: options.env ?? engineEnvironment(),
      onNotice: onFlintNotice,
      pictures: async (call) => picturesModule(await needPack("pictures", libraryOptions(options, call))),
    });
    const first = keeping(flint);
    return withFallback({ first, next: openLlamaOnce, onRefused: inspections.refuse });
  };
  return {
    choose: async (question) =>
      await chooseEngine(question, {
        hasGpuEngine: (device) => findLibrary(device, options) !== undefined,
        inspectFlint: inspections.get,
      }),
    async get(name) {
      if (name === "llama") return await openLlamaOnce();
      if (name === "flint") return await (flint ??= openFlint());
      if (name === "onnx") return await (onnx ??= openOnnx(options));
      if (name === "speech") return await (speech ??= openSpeech(options));
      if (name === "tflite") return await (tflite ??= openTflite(options));
      throw new HearthError("engine_missing", `The engine ${name} is not part of this version of hearth.`, {
        hint: "",
      });
    },
  };
}

/** Whenever a model is loaded or wakes, the same is found to be wrong with this machine. */
function once(say: ((text: string) => void) | undefined): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) say?.(text);
    said.add(text);
  };
}

interface Inspections {
  readonly get: (question: EngineQuestion) => Promise<EngineFootprint>;
  /** What only a load has found out counts the next time; what is short of memory may fit then. */
  readonly refuse: (model: { readonly name: string; readonly path: string }, error: HearthError) => void;
}

/** Headers are read once for each model. That flint refuses one is said once; `hearth plan` says it every time. */
function createInspections({ onNotice = () => {} }: EnginesOptions): Inspections {
  const known = new Map<string, Promise<EngineFootprint>>();
  const refused = new Map<string, HearthError>();
  const said = new Set<string>();
  const say = (path: string, name: string, { message }: HearthError): void => {
    // No other engine takes those over.
    if (said.has(path) || path.endsWith(".safetensors")) return;
    said.add(path);
    onNotice(`${name} runs on llama.cpp, not on flint: ${message}`);
  };
  return {
    async get({ model, info, load }) {
      const forced = load.engine === "flint";
      const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
      const refusal = refused.get(path);
      if (refusal && !forced) throw refusal;
      // Rounded while they are loaded, the weights take less.
      const projector = projectorPath(model, info, load);
      const key = [model.id, load.quantize, projector, load.threads].join(" ");
      const seeing = projector === undefined ? {} : { projector: { path: projector } };
      const found = known.get(key) ?? inspect(path, model.name, { ...load, ...seeing });
      known.set(key, found);
      try {
        return await found;
      } catch (error) {
        if (!isRefusal(error)) known.delete(key);
        else if (!forced) say(path, model.name, error);
        throw error;
      }
    },
    refuse({ name, path }, error) {
      say(path, name, error);
      // What is wrong with an adapter or a draft says nothing of the model alone.
      const { adapter, field } = error.details;
      if (error.code !== "out_of_memory" && adapter === undefined && field !== "draft") refused.set(path, error);
    },
  };
}

async function inspect(path: string, name: string, load: LoadOptions): Promise<EngineFootprint> {
  return await (await import("./flint/inspect.ts")).inspectFlint(path, name, load);
}

async function openLlama(options: EnginesOptions): Promise<LlamaEngine> {
  const { onNotice = () => {}, env } = options;
  const { createLlamaEngine } = await import("./llama/engine.ts");
  return createLlamaEngine({
    env: env ?? engineEnvironment(),
    onNotice,
    libraries: async (device, call) => await llamaLibraries(device, libraryOptions(options, call)),
  });
}

async function openOnnx(options: EnginesOptions): Promise<Engine> {
  const { onNotice = () => {}, env } = options;
  const { createOnnxEngine } = await import("./onnx/engine.ts");
  const { onnxLibrary, wasmLibrary } = await import("./onnx/setup.ts");
  const need = async (pack: "onnx" | "onnx-wasm", call: EngineLoadOptions): Promise<string> =>
    await needPack(pack, libraryOptions(options, call));
  return createOnnxEngine({
    env: env ?? engineEnvironment(),
    onNotice,
    library: async (call) => onnxLibrary(await need("onnx", call)),
    wasmLibrary: async (call) => wasmLibrary(await need("onnx", call), await need("onnx-wasm", call)),
  });
}

async function openTflite(options: EnginesOptions): Promise<Engine> {
  const { onNotice = () => {}, env } = options;
  const { createTfliteEngine } = await import("./tflite/engine.ts");
  const { tfliteLibrary } = await import("./tflite/setup.ts");
  return createTfliteEngine({
    env: env ?? engineEnvironment(),
    onNotice,
    library: async (device, call) => {
      const folder = await needPack("tflite", libraryOptions(options, call));
      const webgpu = device === "webgpu" ? await needPack("webgpu", libraryOptions(options, call)) : undefined;
      return tfliteLibrary(folder, webgpu);
    },
  });
}

async function openSpeech(options: EnginesOptions): Promise<Engine> {
  const { onNotice = () => {}, env } = options;
  const { createSpeechEngine } = await import("./speech/engine.ts");
  return createSpeechEngine({
    env: env ?? engineEnvironment(),
    onNotice,
    pack: async (call) => await needPack("speech", libraryOptions(options, call)),
  });
}

function libraryOptions(
  { dataFolder, settings, onNotice = () => {}, npm }: EnginesOptions,
  { signal, onProgress }: EngineLoadOptions,
): LibraryOptions {
  return {
    dataFolder,
    offline: settings?.offline ?? false,
    onNotice,
    signal,
    onLine: (line) => onProgress?.({ phase: "install", label: line, completedBytes: 0 }),
    ...(npm && { npm }),
  };
}
