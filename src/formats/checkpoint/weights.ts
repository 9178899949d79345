/** The weights of a checkpoint as tensors of GGUF. */
import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { castRows, encodeRows, isFloat } from "./cast.ts";
import type { EncodeRows, FloatType } from "./cast.ts";
import type { Figures } from "./figures.ts";
import type { CheckpointFiles } from "./files.ts";
import { findScheme, refuseUnexplained } from "./quantization.ts";
import { openRaw } from "./raw.ts";
import { constantRows, rawRows } from "./rows.ts";
import type { QuantizedLayer, RawTensor, Scheme } from "./scheme.ts";
import { isFloatTable, mapTensors } from "./tensors.ts";
import type { Mapping, NamedTensor, SourceTensor } from "./tensors.ts";
import type { GgmlTypeName } from "../gguf/ggml.ts";

/** Another type for a matrix of floats. */
export interface Recoding {
  readonly type: GgmlTypeName;
  readonly encode: EncodeRows;
}

export interface WeightOptions {
  /** Matrices of another floating type become this one. Default: they stay as they are. */
  readonly type?: FloatType | undefined;
  /** Asked for each matrix of floats; undefined: it stays. `tied`: the output matrix is that of the embeddings. */
  readonly recode?: ((tensor: NamedTensor, tied: boolean) => Recoding | undefined) | undefined;
  /**
   * Matrices may have their columns in another order, so that they keep their codes; `NAME.columns` beside `NAME.weight` tells
   * which. flint reads that, other engines do not. Default: such matrices become F16.
   */
  readonly reorder?: boolean | undefined;
}

export interface Weights extends Mapping {
  /** How they are quantized, for people. */
  readonly scheme: string | undefined;
  readonly close: () => void;
}

/** Opens the shards; reads headers only. Throws what its parts throw. */
export function openWeights(files: CheckpointFiles, figures: Figures, options: WeightOptions = {}): Weights {
  const raw = openRaw(files);
  try {
    const scheme = findScheme(files, figures.config);
    if (!scheme) refuseUnexplained(files, raw.tensors.values());
    const { tensors, ignored } = mapTensors(toSources(raw.tensors, scheme, options), figures, options.type);
    const tied = !tensors.some(({ name }) => name === "output.weight");
    return {
      tensors: tensors.flatMap((tensor) => [retype(tensor, options, tied), ...columnsOf(tensor)]),
      ignored,
      scheme: scheme?.description,
      close: raw.close,
    };
  } catch (error) {
    raw.close();
    throw error;
  }
}

/** The order of the columns, where it is not that of the inputs. */
function columnsOf({ name, rows: { columns } }: NamedTensor): readonly NamedTensor[] {
  if (!columns) return [];
  const rows = constantRows(Float32Array.from(columns));
  return [{ name: name.replace(/\.weight$/, ".columns"), shape: [columns.length], rows }];
}

function retype(tensor: NamedTensor, { type, recode }: WeightOptions, tied: boolean): NamedTensor {
  const { name, shape, rows } = tensor;
  if (!isFloat(rows.type) || isFloatTable(tensor)) return tensor;
  const recoding = recode?.(tensor, tied);
  if (recoding) return { name, shape, rows: encodeRows(rows, recoding.type, recoding.encode) };
  return type === undefined ? tensor : { name, shape, rows: castRows(rows, type, name) };
}

function toSources(
  tensors: ReadonlyMap<string, RawTensor>,
  scheme: Scheme | undefined,
  { reorder = false }: WeightOptions,
): readonly SourceTensor[] {
  const sources: SourceTensor[] = [];
  const layers = new Map<string, Map<string, RawTensor>>();
  for (const raw of tensors.values()) {
    if (scheme?.isUnused?.(raw)) continue;
    const layer = scheme?.layerOf(raw);
    if (layer === undefined) {
      const [stack = 1] = raw.shape.length === 3 ? raw.shape : [];
      if (isWeight(raw)) sources.push({ name: raw.name, rows: rawRows(raw), isVector: raw.shape.length === 1, stack });
      continue;
    }
    const parts = layers.get(layer) ?? new Map<string, RawTensor>();
    layers.set(layer, parts.set(partName(raw.name, layer), raw));
  }
  for (const [name, parts] of layers) sources.push(openLayer(scheme, { name, parts }, reorder));
  return sources;
}

/** Buffers that models save beside their weights: positions, frequencies. */
function isWeight({ name }: RawTensor): boolean {
  return !/(^|\.)(position_ids|inv_freq|masked_bias)$/.test(name);
}

function partName(tensor: string, layer: string): string {
  if (tensor.startsWith(layer) && /^[._]/.test(tensor.slice(layer.length))) return tensor.slice(layer.length + 1);
  throw new HearthError("internal", `${printable(tensor)} is no part of ${printable(layer)}.`);
}

/** Experts are stacked, and one stack has one order of columns. */
function openLayer(scheme: Scheme | undefined, layer: QuantizedLayer, reorder: boolean): SourceTensor {
  if (!scheme) throw new RangeError("no scheme");
  const name = `${layer.name}.weight`;
  return {
    name,
    rows: scheme.openLayer(layer, { reorder: reorder && !/\bexperts\b/.test(layer.name) }),
    isVector: false,
    stack: 1,
  };
}
