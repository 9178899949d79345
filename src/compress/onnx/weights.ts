/** Tensors of codes and scales in the place of tensors of weights. */
import type { ReadData } from "../../formats/onnx/data.ts";
import { tensorFloats } from "../../formats/onnx/data.ts";
import { dataBytes, elementCount } from "../../formats/onnx/types.ts";
import type { ElementType, OnnxTensor } from "../../formats/onnx/types.ts";
import { floatToHalf } from "../../util/half.ts";
import { blockCodes } from "./blocks.ts";
import type { BlockCodes, BlockOptions } from "./blocks.ts";
import { byRows, int8Matrix, transposed } from "./codes.ts";
import type { CodeOptions, Int8Matrix, Matrix } from "./codes.ts";
import { bytesOf, made } from "./node.ts";
import type { Place } from "./rewrite.ts";

/** How a tensor is seen as a matrix. */
export interface Layout {
  /** Rows of the tensor as it lies; the rest are columns. */
  readonly rows: number;
  /** Whether rows and columns change places. */
  readonly transpose: boolean;
}

export interface Int8Options extends Layout, CodeOptions {
  readonly codeShape: readonly number[];
  readonly scaleShape: readonly number[];
}

/** Where new tensors go. */
export type Room = Pick<Place, "add" | "fresh">;

export interface Int8Names {
  readonly codes: string;
  readonly scales: string;
}

export interface BlockNames extends Int8Names {
  /** Absent where code 8 is 0. */
  readonly zeros: string | undefined;
}

/**
 * Codes are made when the file is written, one tensor at a time: nothing but the weights and codes of one is held. What is
 * used twice is made and stored once.
 */
export class Weights {
  /** Elements that became codes, and those of each kind. */
  readonly counts: Record<string, number> = {};
  private readonly read: ReadData;
  private readonly known = new Map<string, Int8Names | BlockNames>();
  private readonly ids = new Map<OnnxTensor, number>();
  private last: { readonly key: string; readonly value: unknown } | undefined;

  constructor(read: ReadData) {
    this.read = read;
  }

  /** Codes of 8 bits; scales have the shape `scaleShape`. */
  int8(tensor: OnnxTensor, place: Room, options: Int8Options): Int8Names {
    const { codeShape, scaleShape } = options;
    const key = this.keyOf(tensor, { ...options, kind: "int8" });
    const known = this.known.get(key);
    if (known) return known;
    const make = (): Int8Matrix => this.once(key, () => int8Matrix(this.matrix(tensor, options), options));
    const codes = place.fresh(`${tensor.name}_int8`);
    const scales = place.fresh(`${tensor.name}_scale`);
    const count = elementCount(codeShape);
    place.add({ name: codes, type: "int8", shape: codeShape, data: made(count, () => bytesOf(make().codes)) });
    place.add(floatsLike(tensor.type, { name: scales, shape: scaleShape, values: () => make().scales }));
    return this.remember(key, { codes, scales }, { kind: "int8", count });
  }

  /** Codes of 4 bits for the columns of a matrix. */
  blocks(tensor: OnnxTensor, place: Room, options: Layout & BlockOptions): BlockNames {
    const { blockSize, symmetric } = options;
    const key = this.keyOf(tensor, { ...options, kind: "int4" });
    const known = this.known.get(key);
    if (known) return known as BlockNames;
    const make = (): BlockCodes => this.once(key, () => blockCodes(this.matrix(tensor, options), options));
    const { rows, columns } = sizeOf(tensor, options);
    const blocks = Math.ceil(rows / blockSize);
    const codes = place.fresh(`${tensor.name}_int4`);
    const scales = place.fresh(`${tensor.name}_scale`);
    const zeros = symmetric ? undefined : place.fresh(`${tensor.name}_zero`);
    const shape = [columns, blocks, blockSize / 2];
    place.add({ name: codes, type: "uint8", shape, data: made(elementCount(shape), () => make().codes) });
    // One row: older releases of ONNX Runtime know no other shape.
    const scaleShape = [columns * blocks];
    place.add(floatsLike(tensor.type, { name: scales, shape: scaleShape, values: () => make().scales }));
    if (zeros !== undefined) {
      const zeroShape = [columns * Math.ceil(blocks / 2)];
      const data = made(elementCount(zeroShape), () => make().zeros ?? new Uint8Array(0));
      place.add({ name: zeros, type: "uint8", shape: zeroShape, data });
    }
    return this.remember(key, { codes, scales, zeros }, { kind: "int4", count: rows * columns });
  }

  private matrix(tensor: OnnxTensor, { rows, transpose }: Layout): Matrix {
    const values = tensorFloats(tensor, this.read);
    const matrix = byRows(values, rows, values.length / rows);
    return transpose ? transposed(matrix) : matrix;
  }

  /** Codes and scales of a tensor are written one after the other: they are computed once. */
  private once<T>(key: string, make: () => T): T {
    if (this.last?.key !== key) this.last = { key, value: make() };
    // A key stands for one kind of value.
    return this.last.value as T;
  }

  private keyOf(tensor: OnnxTensor, options: object): string {
    const id = this.ids.get(tensor) ?? this.ids.size;
    this.ids.set(tensor, id);
    return JSON.stringify([id, options]);
  }

  private remember<Names extends Int8Names>(
    key: string,
    names: Names,
    { kind, count }: { readonly kind: string; readonly count: number },
  ): Names {
    this.known.set(key, names);
    this.counts[kind] = (this.counts[kind] ?? 0) + count;
    return names;
  }
}

function sizeOf(tensor: OnnxTensor, { rows, transpose }: Layout) {
  const columns = elementCount(tensor.shape) / rows;
  return transpose ? { rows: columns, columns: rows } : { rows, columns };
}

interface Floats {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: () => Float32Array;
}

/** Scales have the floating type of the weights. */
function floatsLike(type: ElementType, { name, shape, values }: Floats): OnnxTensor {
  const own = type === "float16" ? "float16" : "float32";
  const make = (): Uint8Array =>
    bytesOf(own === "float32" ? values() : Uint16Array.from(values(), (value) => floatToHalf(value)));
  return { name, type: own, shape, data: made(dataBytes(own, shape), make) };
}
