import { engineEnvironment } from "../config/environment.ts";
import type { Settings } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import type { Device, Engine, EngineName } from "../spec/engine.ts";
import type { Format, ModelInfo } from "../spec/model.ts";
import type { EngineChoice, Engines } from "./contract.ts";
import { devicesToTry, findLibrary, llamaLibraries } from "./libraries.ts";
import type { LlamaEngine } from "./llama/engine.ts";
import { refuseLlama } from "./llama/refuse.ts";
import type { RunNpm } from "./npm.ts";

export interface EnginesOptions {
  readonly dataFolder: string;
  readonly settings?: Pick<Settings, "offline">;
  /** One line for people, e.g. that an engine is being installed. */
  readonly onNotice?: (text: string) => void;
  readonly npm?: RunNpm;
  /** Environment of the engines' processes. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Which engine runs which format. Later engines add their rows. */
const table: Readonly<Record<Format, { readonly engine: EngineName; readonly here: boolean; readonly hint: string }>> =
  {
    gguf: { engine: "llama", here: true, hint: "" },
    safetensors: { engine: "flint", here: false, hint: "Look for the model as GGUF." },
    onnx: { engine: "onnx", here: false, hint: "Look for the model as GGUF." },
    tflite: { engine: "tflite", here: false, hint: "" },
  };

/** The engines of this version. Opens nothing until an engine is asked for. */
export function createEngines(options: EnginesOptions): Engines {
  let llama: Promise<LlamaEngine> | undefined;
  return {
    choose: (info, device) => choose(info, device, options),
    async get(name) {
      if (name !== "llama") {
        throw new HearthError("engine_missing", `The engine ${name} is not part of this version of hearth.`, {
          hint: "",
        });
      }
      llama ??= openLlama(options);
      return (await llama) satisfies Engine;
    },
  };
}

function choose(info: ModelInfo, device: Device, options: EnginesOptions): EngineChoice {
  const { engine, here, hint } = table[info.format];
  if (!here) {
    throw new HearthError(
      "model_unsupported",
      `Models of format ${info.format} (this one: ${info.architecture}) run on the engine ${engine}, which is not part of this version.`,
      { hint, details: { format: info.format, architecture: info.architecture, engine } },
    );
  }
  const refusal = refuseLlama(info, device);
  if (refusal !== undefined) {
    throw new HearthError("model_unsupported", `${refusal}.`, {
      hint: "Another quantization does not help; a newer engine may: `hearth engines update`.",
      details: { format: info.format, architecture: info.architecture, engine },
    });
  }
  const reasons = [`${engine} runs ${info.format} files of the architecture ${info.architecture}`];
  return { engine, ...chooseDevice(device, options, reasons) };
}

/** What `auto` comes to: a GPU when there is an installed engine for one, else the CPU. */
function chooseDevice(device: Device, options: EnginesOptions, reasons: string[]): Omit<EngineChoice, "engine"> {
  if (device !== "auto") return { device, reasons: [...reasons, `the device ${device} was asked for`] };
  const gpus = devicesToTry("auto").filter((one) => one !== "cpu" && findLibrary(one, options) !== undefined);
  if (gpus.length > 0) {
    return { device: "auto", reasons: [...reasons, `${gpus.join(", ")} is tried first, then the CPU`] };
  }
  const why =
    process.platform === "darwin"
      ? "there is no Metal here"
      : "no engine pack for a GPU is installed (llama-cuda, llama-vulkan)";
  return { device: "cpu", reasons: [...reasons, `it runs on the CPU: ${why}`] };
}

async function openLlama({
  dataFolder,
  settings,
  onNotice = () => {},
  npm,
  env,
}: EnginesOptions): Promise<LlamaEngine> {
  const { createLlamaEngine } = await import("./llama/engine.ts");
  return createLlamaEngine({
    env: env ?? engineEnvironment(),
    onNotice,
    libraries: async (device, { signal, onProgress }) =>
      await llamaLibraries(device, {
        dataFolder,
        offline: settings?.offline ?? false,
        onNotice,
        signal,
        onLine: (line) => onProgress?.({ phase: "install", label: line, completedBytes: 0 }),
        ...(npm && { npm }),
      }),
  });
}
