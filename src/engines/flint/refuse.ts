import { HearthError } from "../../error.ts";
import type { Device, LoadOptions } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import { architectures } from "./architectures/table.ts";
import type { CacheType, CacheTypes } from "./cache/layout.ts";
import { cacheTypes, isCacheType } from "./cache/layout.ts";

/** Why flint cannot run this model on this device; undefined: as far as its header's summary tells, it can. */
export function refuseFlint(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "gguf" && info.format !== "safetensors") {
    return `flint runs GGUF files and SafeTensors checkpoints, not ${info.format}`;
  }
  if (device !== "auto" && device !== "cpu") return `flint computes on the CPU, not with ${device}`;
  if (!architectures.has(info.architecture)) {
    return `flint does not know the architecture "${info.architecture}". Known: ${[...architectures.keys()].join(", ")}`;
  }
  return undefined;
}

/** The first load option that flint cannot honour, and why; undefined: it takes them all. */
export function refuseFlintOptions(
  load: LoadOptions,
): { readonly option: string; readonly reason: string } | undefined {
  const refuse = (option: keyof LoadOptions, reason: string): { option: string; reason: string } => ({
    option,
    reason,
  });
  for (const option of ["kvTypeK", "kvTypeV"] as const) {
    const type = load[option] ?? "f16";
    if (!isCacheType(type)) return refuse(option, otherType(type));
  }
  if (typeof load.flashAttention === "boolean") {
    return refuse("flashAttention", "flint has one kind of attention, which no option changes");
  }
  if (load.gpuLayers !== undefined && load.gpuLayers !== "auto" && load.gpuLayers !== 0) {
    return refuse("gpuLayers", `flint computes on the CPU; ${load.gpuLayers} layers were asked for on a GPU`);
  }
  if (load.mmap === true)
    return refuse("mmap", "flint reads the weights into its own memory and does not map the file");
  if (load.mlock === true) return refuse("mlock", "flint cannot lock its memory");
  return undefined;
}

/** How the KV cache is kept. Throws `unsupported_option` for a type that flint does not have. */
export function cacheTypesOf(load: LoadOptions): CacheTypes {
  const typeOf = (option: "kvTypeK" | "kvTypeV"): CacheType => {
    const type = load[option] ?? "f16";
    if (isCacheType(type)) return type;
    throw new HearthError("unsupported_option", `${otherType(type)}.`, { details: { option, engine: "flint" } });
  };
  return { keyType: typeOf("kvTypeK"), valueType: typeOf("kvTypeV") };
}

function otherType(type: string): string {
  return `flint keeps its KV cache in ${cacheTypes.join(" or ")}, not ${type}`;
}
