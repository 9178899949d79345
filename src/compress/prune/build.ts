/** What is left of a model, as a GGUF file that nobody has written yet. */
import { toEntries, toMetadata } from "../../formats/checkpoint/metadata.ts";
import type { TypedMetadata } from "../../formats/checkpoint/metadata.ts";
import type { NamedTensor } from "../../formats/checkpoint/tensors.ts";
import { alignment, layOut } from "../../formats/checkpoint/virtual.ts";
import type { ReadData } from "../../formats/checkpoint/virtual.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { WeightData, WeightSource } from "../source.ts";
import type { Kept } from "./choose.ts";
import { requireEntry } from "./choose.ts";
import type { Activations, Cuts } from "./contract.ts";
import { cutTensor, placesOf } from "./cut.ts";
import { newMetadata } from "./figures.ts";
import { isLayerMatrix } from "./matrices.ts";
import type { ResolvedCuts } from "./resolve.ts";
import { tensorRows } from "./rows.ts";
import { zeroRows } from "./zero.ts";

export interface Pruned {
  readonly file: GgufFile;
  readonly metadata: TypedMetadata;
  readonly read: ReadData;
  /** Weights of each matrix that are zero, as far as it was read. */
  readonly zeros: ReadonlyMap<string, () => number>;
}

export interface BuildOptions {
  readonly cuts: ResolvedCuts;
  readonly kept: Kept;
  readonly zeros?: Cuts["zeros"];
  readonly activations?: Activations | undefined;
}

/** Reads nothing. */
export function buildPruned({ file, metadata }: WeightSource, data: WeightData, options: BuildOptions): Pruned {
  const { cuts, kept } = options;
  const zeros = new Map<string, () => number>();
  const tensors = file.tensors.flatMap((tensor): NamedTensor[] => {
    const place = placeOf(tensor.name, kept.layers);
    if (place === undefined) return [];
    return [{ ...prune(tensor, data, { ...options, zeroed: zeros, name: place.name }), name: place.name }];
  });
  const laid = layOut(tensors);
  const typed = newMetadata(metadata, cuts, kept.layers);
  return {
    file: {
      name: file.name,
      version: 3,
      metadata: toMetadata(typed),
      entries: toEntries(typed),
      tensors: laid.tensors,
      dataOffset: 0,
      fileBytes: laid.dataBytes,
      alignment,
    },
    metadata: typed,
    read: laid.read,
    zeros,
  };
}

/** The name with the layer's new number; undefined: the layer is gone. */
function placeOf(name: string, layers: readonly number[] | undefined): { readonly name: string } | undefined {
  const found = /^blk\.(\d+)\./.exec(name);
  if (!found || !layers) return { name };
  const place = layers.indexOf(Number(found[1]));
  return place < 0 ? undefined : { name: `blk.${place}.${name.slice(found[0].length)}` };
}

interface PruneTensor extends BuildOptions {
  /** In what is made. */
  readonly name: string;
  readonly zeroed: Map<string, () => number>;
}

function prune(tensor: GgufTensor, data: WeightData, options: PruneTensor): Omit<NamedTensor, "name"> {
  const { cuts, kept, zeros, name, zeroed } = options;
  const source = { shape: tensor.shape, rows: tensorRows(tensor, data) };
  const [, layer, part] = /^blk\.(\d+)\.(.+)$/.exec(tensor.name) ?? [];
  const cut = { groups: kept.groups?.get(Number(layer)), channels: kept.channels?.get(Number(layer)) };
  const places = part === undefined ? {} : placesOf(part, source.rows.n, cut, cuts);
  const { shape, rows } = part === undefined ? source : cutTensor(source, part, places);
  if (!zeros || !isLayerMatrix(tensor)) return { shape, rows };
  const wanda = zeros.method === "wanda";
  const made = zeroRows(rows, {
    name,
    zeros,
    norms: wanda ? normsOf(tensor, options.activations, places.columns) : undefined,
    expertRows: shape[1] ?? 1,
  });
  zeroed.set(name, made.count);
  return { shape, rows: made.rows };
}

/** ‖x‖ of the columns that stay, for each expert; 1 where no token came by. */
function normsOf(
  { name, shape }: GgufTensor,
  activations: Activations | undefined,
  columns: readonly number[] | undefined,
): Float32Array {
  const { sums, counts } = requireEntry(activations, name);
  const [k = 1, , experts = 1] = shape;
  const taken = columns ?? Array.from({ length: k }, (_, column) => column);
  return Float32Array.from({ length: taken.length * experts }, (_, index) => {
    const expert = Math.floor(index / taken.length);
    const seen = (counts[counts.length === 1 ? 0 : expert] ?? 0) > 0;
    return seen ? Math.sqrt(sums[expert * k + (taken[index % taken.length] ?? 0)] ?? 0) : 1;
  });
}
