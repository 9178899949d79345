import { isCombinedModel } from "../../formats/gguf/combined.ts";
import type { Device } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import { didYouMean } from "../../util/distance.ts";
import { llamaArchitectures } from "./architectures.ts";

const llamaDevices: readonly Device[] = ["auto", "cpu", "cuda", "vulkan", "metal"];

/** Why llama.cpp cannot run this model on this device; undefined: it can. */
export function refuseLlama(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "gguf") return `llama.cpp runs GGUF files, not ${info.format}`;
  if (!llamaArchitectures.has(info.architecture)) {
    const known = [...llamaArchitectures].join(", ");
    return `llama.cpp does not know the architecture "${info.architecture}".${didYouMean(info.architecture, llamaArchitectures)} Known: ${known}`;
  }
  if (isCombinedModel(info))
    return "llama.cpp does not read files that hold an encoder of pictures beside the language model";
  if (!llamaDevices.includes(device))
    return `llama.cpp does not run on ${device}; it runs on ${llamaDevices.join(", ")}`;
  if (device === "metal" && process.platform !== "darwin") return "Metal is there on Apple machines only";
  if (device === "cuda" && process.platform === "darwin") return "CUDA is not there on Apple machines";
  return undefined;
}
