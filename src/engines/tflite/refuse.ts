import type { Device } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";

const known: readonly Device[] = ["auto", "cpu", "webgpu"];
/** LiteRT keeps the file in the memory of a WebAssembly module, beside all that it computes. */
const mostBytes = 2 ** 31 - 1;

/** Why LiteRT cannot run this model on this device; undefined: it can, or falls back to the CPU and says why. */
export function refuseTflite(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "tflite") return `LiteRT runs TFLite models, not ${info.format}`;
  if (!known.includes(device)) return `LiteRT does not run on ${device} here; it runs on ${known.join(", ")}`;
  if (info.weightBytes > mostBytes)
    return `LiteRT takes models of up to ${mostBytes} bytes here; this one has ${info.weightBytes}`;
  return undefined;
}
