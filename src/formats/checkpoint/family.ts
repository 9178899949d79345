/** What a family says of its checkpoints: the names of its tensors there and in GGUF, and its figures. */
import type { GgufTypedValue } from "../gguf/encode.ts";
import type { Config } from "./config.ts";
import type { RowOrder } from "./rows.ts";

/** Figures that the order of rows depends on. */
export interface Sizes {
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  /** 0: there are none. */
  readonly experts: number;
  /** Rows of the table of positions that stand before position 0. */
  readonly positionOffset: number;
}

/** Which rows of a tensor with `rows` rows in the checkpoint become a tensor of GGUF; NaN rows where that cannot be. */
export type ChooseRows = (rows: number, sizes: Sizes) => RowOrder;

export interface Part {
  /** Name in GGUF without `.weight`; `#` is the number of the layer. */
  readonly to: string;
  readonly rows?: ChooseRows;
}

/**
 * One kind of tensor. Of several rules with the same parts the first one is what we write ourselves. Names have neither
 * `.weight` nor `.bias`, which both sides share.
 */
export interface Rule extends Part {
  /** Name in the checkpoint without the prefix of the family; `#` is the layer, `*` counts inside it: experts, heads. */
  readonly from: string;
  /** Further tensors of GGUF that are made of the same one. */
  readonly and?: readonly Part[];
  /** Place among several tensors of the checkpoint that are joined to one. */
  readonly place?: number;
  /** Norms that are stored without the 1 that the formula adds. */
  readonly plusOne?: boolean;
  /** A matrix of one row that is a vector in GGUF. */
  readonly squeeze?: boolean;
}

/** Keys without `<architecture>.` in front; those with a dot at the start are written as they are, without it. */
export type Keys = Readonly<Record<string, GgufTypedValue | undefined>>;

export interface Family {
  /** `general.architecture` */
  readonly architecture: string;
  /** Names in `architectures` of config.json. The first one is what we write ourselves. */
  readonly classes: readonly string[];
  /** `model_type` of what we write ourselves, where it is not the name of the architecture. */
  readonly modelType?: string;
  /** What may stand in front of names in the checkpoint. The first one is what we write ourselves. */
  readonly prefixes?: readonly string[];
  readonly rules: readonly Rule[];
  /** Names, with `#` and `*`, that mean nothing to the forward pass. */
  readonly ignored?: RegExp;
  readonly norm: "rms" | "layer";
  /** The format has no way to say that the output matrix is that of the embeddings. */
  readonly ownOutput?: boolean;
  /** An encoder: no output matrix, and a pooling. */
  readonly encoder?: boolean;
  /** False: positions are learned, or there are none. */
  readonly rope?: false;
  /** The first rows of the table of positions stand for padding. */
  readonly paddedPositions?: boolean;
  /** Values that its configuration takes for granted. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Kinds of rope scaling beyond `default`, `linear` and `yarn` that the graph knows. */
  readonly ropeFactors?: boolean;
  /** Throws `model_unsupported` for what the graph does not compute. */
  readonly check?: (config: Config) => void;
  /** Figures beyond those that all share. */
  readonly keys?: (config: Config) => Keys;
  /** The same back again: values of `config.json` from the keys. */
  readonly settings?: (read: ReadKey) => Readonly<Record<string, unknown>>;
}

/** A scalar of `<architecture>.`; undefined: the file does not say it. */
export type ReadKey = (key: string) => number | boolean | string | undefined;

export const uint = (value: number): GgufTypedValue => ({ type: "uint32", value });
export const float = (value: number): GgufTypedValue => ({ type: "float32", value });
export const flag = (value: boolean): GgufTypedValue => ({ type: "bool", value });
export const text = (value: string): GgufTypedValue => ({ type: "string", value });

/**
 * Rows of each head from halves to neighbouring pairs: those families rotate pairs in GGUF and halves in the checkpoint.
 * `heads` of `sizes` says how many heads the tensor has.
 */
export function pairs(heads: "heads" | "keyHeads"): ChooseRows {
  return (rows, sizes) => {
    const size = rows / sizes[heads];
    const half = size / 2;
    const at = (row: number): number => {
      const inside = row % size;
      return row - inside + (inside >> 1) + (inside & 1) * half;
    };
    return { n: Number.isInteger(half) ? rows : NaN, at };
  };
}

/** The first or second half of the rows: of those of each expert, where `stacked`. */
export function half(which: 0 | 1, stacked = false): ChooseRows {
  return (rows, { experts }) => {
    const all = stacked ? rows / experts : rows;
    const size = all / 2;
    const at = (row: number): number => Math.floor(row / size) * all + which * size + (row % size);
    return { n: Number.isInteger(size) ? rows / 2 : NaN, at };
  };
}
