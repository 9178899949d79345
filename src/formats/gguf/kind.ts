import { stringOf } from "./check.ts";
import type { GgufFile } from "./types.ts";

/** What a GGUF file is for. */
export type GgufKind = "model" | "shard" | "adapter" | "projector" | "vocabulary" | "other";

export function kindOf(gguf: GgufFile): GgufKind {
  const type = stringOf(gguf, "general.type");
  if (type === "adapter") return "adapter";
  if (type === "imatrix" || stringOf(gguf, "general.architecture") === "imatrix") return "other";
  if (type === "mmproj" || stringOf(gguf, "general.architecture") === "clip") return "projector";
  if (gguf.splitIndex !== undefined && gguf.splitIndex > 0) return "shard";
  if (gguf.tensors.length === 0 && gguf.splitCount === undefined) return "vocabulary";
  return "model";
}
