/** The metadata of what is left. */
import type { Hyperparameters } from "../../engines/flint/architectures/hyperparameters.ts";
import { checkModel } from "../../engines/flint/check.ts";
import { HearthError } from "../../error.ts";
import type { TypedMetadata } from "../../formats/checkpoint/metadata.ts";
import type { GgufTypedValue } from "../../formats/gguf/encode.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { ResolvedCuts } from "./resolve.ts";

const uint32 = (value: number): GgufTypedValue => ({ type: "uint32", value });

/** They say how the source was cut into files, and how large it was. */
const gone = /^(?:split\.|general\.(?:alignment|size_label)$)/;
/** As long as a list of layers may be by chance. */
const noList = "rope.dimension_sections";

/** `layers`: those that stay. */
export function newMetadata(
  metadata: TypedMetadata,
  { architecture, model, groups, channels }: ResolvedCuts,
  layers: readonly number[] | undefined,
): TypedMetadata {
  const prefix = `${architecture}.`;
  const kept = Object.entries(metadata).flatMap(([key, value]): [string, GgufTypedValue][] => {
    if (gone.test(key)) return [];
    const isList = layers && key.startsWith(prefix) && key !== `${prefix}${noList}`;
    return [[key, isList && model ? sliceList(value, layers, model.layers.length) : value]];
  });
  const changed = {
    ...(layers && { block_count: uint32(layers.length) }),
    ...(groups && {
      "attention.head_count": uint32(groups.keep * groups.heads),
      "attention.head_count_kv": uint32(groups.keep),
      // Else they would be the part of the width that a head has.
      "attention.key_length": uint32(model?.headWidth ?? 0),
      "attention.value_length": uint32(model?.valueWidth ?? 0),
    }),
    ...(channels && { feed_forward_length: uint32(channels.keep) }),
  };
  return {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(Object.entries(changed).map(([key, value]) => [`${prefix}${key}`, value])),
  };
}

/** A list with an element for each layer. */
function sliceList(value: GgufTypedValue, layers: readonly number[], total: number): GgufTypedValue {
  if (value.type !== "array" || value.of === "string" || value.value.length !== total) return value;
  const all = Array.from<number | bigint | boolean>(value.value as ArrayLike<number>);
  return { ...value, value: layers.map((layer) => all[layer]) } as GgufTypedValue;
}

/**
 * Whether each layer would be computed as before, in its new place: architectures give layers windows, or leave out their
 * rotation, by their number. Undefined: yes. Else what differs.
 */
export function differenceIn(before: Hyperparameters, file: GgufFile, layers: readonly number[]): string | undefined {
  const after = checkModel(file).hyperparameters;
  const place = layers.findIndex((layer, index) => kindOf(before, layer) !== kindOf(after, index));
  if (place >= 0) return `layer ${layers[place]} would get place ${place}, which has another window or rotation`;
  return commonOf(before) === commonOf(after) ? undefined : "its scales follow from the number of its layers or heads";
}

function kindOf({ layers }: Hyperparameters, layer: number): string {
  const { window, rope } = layers[layer] ?? {};
  return JSON.stringify({ window, rope });
}

function commonOf(model: Hyperparameters): string {
  return JSON.stringify({ ...model, layers: undefined, tensors: undefined });
}

export function changesKind(name: string, difference: string): HearthError {
  return new HearthError("model_unsupported", `These layers cannot be taken out of ${name}: ${difference}.`, {
    hint: "Its layers differ by their number. Name whole groups of them with --drop, as 4-7 where every fourth one is different.",
    details: { field: "layers" },
  });
}
