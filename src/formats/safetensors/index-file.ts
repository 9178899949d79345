import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";

/** Which file holds a tensor, by `weight_map` of `model.safetensors.index.json`. */
export type ShardIndex = ReadonlyMap<string, string>;

/** Checks the JSON of an index. File names must be plain: no folders, no `..`. Throws `model_malformed` with {field}. */
export function parseShardIndex(value: unknown, name: string): ShardIndex {
  const map = isObject(value) ? value["weight_map"] : undefined;
  if (!isObject(map)) throw fault(name, "weight_map", "has no weight_map");
  const entries = Object.entries(map).map(([tensor, file]) => {
    if (typeof file !== "string" || !/^[A-Za-z0-9_][\w.-]*\.safetensors$/.test(file)) {
      const shown = printable(JSON.stringify(file) ?? "nothing", 60);
      throw fault(name, "weight_map", `says that ${printable(tensor)} is in ${shown}, which is no name of a shard`);
    }
    return [tensor, file] as const;
  });
  if (entries.length === 0) throw fault(name, "weight_map", "names no tensors");
  return new Map(entries);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fault(name: string, field: string, problem: string): HearthError {
  return new HearthError("model_malformed", `${name} ${problem}.`, { details: { field } });
}
