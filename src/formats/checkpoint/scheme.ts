import type { GgmlTypeName } from "../gguf/ggml.ts";
import type { SafetensorsType } from "../safetensors/types.ts";
import type { Config } from "./config.ts";

/**
 * The seam between a checkpoint and the ways in which its weights are quantized. A scheme turns the tensors that
 * describe one linear layer (`NAME.qweight`, `NAME.scales` …) into rows of one ggml type; names, order of rows, stacked
 * experts and the rest are the business of the checkpoint. The schemes are listed in `schemes/table.ts`.
 */

/** Metadata key under which a checkpoint that became a GGUF file says how its weights were quantized. */
export const schemeKey = "general.quantization_scheme";

/** A tensor as it stands in a SafeTensors file. */
export interface RawTensor {
  /** Name in the checkpoint. */
  readonly name: string;
  readonly dtype: SafetensorsType;
  /** Elements per dimension, the contiguous one last. */
  readonly shape: readonly number[];
  readonly sizeBytes: number;
  /** Fills `target` with bytes of the data from `offset` on. Both must lie inside the tensor. */
  read(offset: number, target: Uint8Array): void;
}

/** What a scheme may ask of a tensor before anything is read. */
export type RawTensorInfo = Omit<RawTensor, "read">;

/** A matrix of `n` rows (outputs) with `k` weights each (inputs), a whole number of blocks of `type`. */
export interface MatrixRows {
  readonly type: GgmlTypeName;
  readonly n: number;
  readonly k: number;
  /**
   * Fills `target` with the rows `first` to `first + count - 1`, one after the other, as blocks of ggml. `target` has
   * exactly their size. Rows are asked for in order as a rule, a few hundred KiB at a time, and may be asked for again.
   */
  readRows(first: number, count: number, target: Uint8Array): void;
  /**
   * Rows whose columns are in another order, so that blocks share a scale (GPTQ's act-order): place i holds the weights of
   * input `columns[i]`. Only where `reorder` was asked for.
   */
  readonly columns?: Uint32Array;
}

export interface OpenLayerOptions {
  /** Whether columns may be in another order. Without it such layers lose their codes: they become F16. */
  readonly reorder?: boolean;
}

/** The tensors of one linear layer, by what follows the layer's name and a dot or "_": "qweight", "weight.absmax". */
export interface QuantizedLayer {
  /** "model.layers.0.mlp.up_proj" */
  readonly name: string;
  readonly parts: ReadonlyMap<string, RawTensor>;
}

/** How the weights of one checkpoint are quantized, by the `quantization_config` of its `config.json`. */
export interface Scheme {
  /** For people: "GPTQ, 4 bits, groups of 128". */
  readonly description: string;
  /**
   * Name of the layer of which a tensor is a part: "model.layers.0.mlp.up_proj" for "model.layers.0.mlp.up_proj.scales".
   * Undefined for a tensor that stands for itself: norms, embeddings, biases, layers that were left alone. Scales of
   * activations, which we do not need, are parts too.
   */
  layerOf(tensor: RawTensorInfo): string | undefined;
  /** Tensors that belong to no matrix and that we have no use for: scales of a quantized KV cache. */
  isUnused?(tensor: RawTensorInfo): boolean;
  /**
   * Checks the parts against each other (which are there, dtypes, shapes) and reads none of the data but what is small.
   * Throws `model_malformed` with the layer, the part and its real shape.
   */
  openLayer(layer: QuantizedLayer, options?: OpenLayerOptions): MatrixRows;
}

/**
 * One scheme's entry in the table. Gets `quantization_config` as it is in the file, unchecked, under the name of that file or
 * key. Undefined: that is another scheme's. Throws `model_unsupported` for settings of its own scheme that it cannot read, `model_malformed` for wrong ones.
 */
export type OpenScheme = (config: Config) => Scheme | undefined;
