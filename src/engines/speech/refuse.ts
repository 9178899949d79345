import type { Device, EngineFootprint } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";

/** What `metadata.layout` of a model says that this engine runs. */
const speechLayout = "sherpa-onnx";

/** Why sherpa-onnx cannot run this model on this device. */
export function refuseSpeech(info: ModelInfo, device: Device): string | undefined {
  if (info.metadata["layout"] !== speechLayout) return "sherpa-onnx runs models of speech in its own layout";
  if (device !== "auto" && device !== "cpu") return `sherpa-onnx runs on the CPU here, not on ${device}`;
  return undefined;
}

/**
 * Node, the native library and its buffers, as the system counts them after some seconds of sound: 279 MB with Moonshine
 * tiny (Linux x64), 296 MB with Kokoro.
 */
const processBytes = 300 * 1000 ** 2;

/** There is no cache, and nothing that grows with a text. */
export function speechFootprint({ weightBytes }: ModelInfo): EngineFootprint {
  return { weightBytes, processBytes, rowBytes: 0, batchTokens: 1, blockTokens: 1 };
}
