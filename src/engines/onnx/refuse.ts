import type { Device } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";

const known: readonly Device[] = ["auto", "cpu", "cuda", "coreml", "directml", "webgpu", "npu"];

/** Why ONNX Runtime cannot run this model on this device; undefined: it can, or falls back to the CPU and says why. */
export function refuseOnnx(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "onnx") return `ONNX Runtime runs ONNX models, not ${info.format}`;
  if (!known.includes(device)) return `ONNX Runtime does not run on ${device}; it runs on ${known.join(", ")}`;
  if (device === "coreml" && process.platform !== "darwin") return "CoreML is there on Apple machines only";
  if (device === "directml" && process.platform !== "win32") return "DirectML is there on Windows only";
  if (device === "cuda" && process.platform === "darwin") return "CUDA is not there on Apple machines";
  return undefined;
}
