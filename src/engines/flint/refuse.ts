import type { Device } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import { architectures } from "./architectures/table.ts";

/** Why flint cannot run this model on this device; undefined: as far as its header's summary tells, it can. */
export function refuseFlint(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "gguf") return `flint runs GGUF files, not ${info.format}`;
  if (device !== "auto" && device !== "cpu") return `flint computes on the CPU, not with ${device}`;
  if (!architectures.has(info.architecture)) {
    return `flint does not know the architecture "${info.architecture}". Known: ${[...architectures.keys()].join(", ")}`;
  }
  return undefined;
}
