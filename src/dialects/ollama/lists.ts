import { readModelHeader } from "../../formats/model.ts";
import type { GgufArray } from "../../formats/gguf/types.ts";
import { isGgufArray } from "../../formats/gguf/types.ts";
import type { InstalledModel } from "../../spec/model.ts";
import { unsupported } from "./fields.ts";

/** What /api/show sends only with `verbose`: megabytes for some models. */
export interface ModelLists {
  /** Metadata that is an array, e.g. `tokenizer.ggml.tokens`. */
  readonly arrays: Readonly<Record<string, readonly (string | number)[]>>;
  readonly tensors: readonly { readonly name: string; readonly type: string; readonly shape: readonly number[] }[];
}

export async function readLists(model: InstalledModel): Promise<ModelLists> {
  const weights = model.files.find(({ role }) => role === "weights");
  if ((model.format !== "gguf" && model.format !== "safetensors") || !weights) {
    throw unsupported("verbose", `${model.name} is neither a GGUF nor a SafeTensors model`);
  }
  const { metadata, tensors } = await readModelHeader(weights.path, { name: model.name });
  const arrays = [...metadata].flatMap(([key, value]) => (isGgufArray(value) ? [[key, toList(value)] as const] : []));
  return {
    arrays: Object.fromEntries(arrays),
    tensors: tensors.map(({ name, typeName, shape }) => ({ name, type: typeName.toUpperCase(), shape })),
  };
}

function toList(array: GgufArray): readonly (string | number)[] {
  if (array.type === "string") return [...(array.strings ?? [])];
  return Array.from<number | bigint, string | number>(array.numbers ?? [], (value) =>
    typeof value === "bigint" ? toNumber(value) : value,
  );
}

/** JSON has no 64-bit integers: what a double cannot hold becomes text. */
export function toNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
