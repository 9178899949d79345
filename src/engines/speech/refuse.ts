import type { Device } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";

/** What `metadata.layout` of a model says that this engine runs. */
export const speechLayout = "sherpa-onnx";

/** Why sherpa-onnx cannot run this model on this device. */
export function refuseSpeech(info: ModelInfo, device: Device): string | undefined {
  if (info.metadata["layout"] !== speechLayout) return "sherpa-onnx runs models of speech in its own layout";
  if (device !== "auto" && device !== "cpu") return `sherpa-onnx runs on the CPU here, not on ${device}`;
  return undefined;
}
