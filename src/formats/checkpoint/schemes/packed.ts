/** Codes of 1 to 8 bits in words, as compressed-tensors packs them. */
import type { QuantizedLayer, RawTensor } from "../scheme.ts";
import { shapeText } from "../../safetensors/parse.ts";
import { uniformCode, unpackCodes, wordsFor } from "./bits.ts";
import type { CodedMatrix } from "./coded.ts";
import { readBytes, readScales, readWords, scaleTypes, transpose } from "./numbers.ts";
import { evenGroups, readGroupIndex } from "./order.ts";
import { expectShape, findPart, partFault, requirePart, sizeAt } from "./parts.ts";
import { expandScales, mapScales } from "./scales.ts";
import type { ScaleMap } from "./scales.ts";

const most = 8;

/** `weight_packed` [n][k · bits / 32], with scales and zero points for each group of a row. */
export function openPacked(layer: QuantizedLayer): CodedMatrix {
  const packed = requirePart(layer, "weight_packed", { dtypes: ["I32"], rank: 2 });
  const scales = requirePart(layer, "weight_scale", { dtypes: scaleTypes });
  const [n, k] = readShape(layer);
  const rowWords = sizeAt(packed, 1);
  const bits = Array.from({ length: most }, (_, index) => index + 1).find((width) => wordsFor(k, width) === rowWords);
  if (bits === undefined || sizeAt(packed, 0) !== n) {
    throw partFault(packed.name, `has the shape ${shapeText(packed.shape)}, which fits no matrix of ${n} × ${k}`);
  }
  const map = mapScales(scales, { n, k, block: undefined });
  const zeros = findPart(layer, "weight_zero_point", { dtypes: ["I32", "I8"], rank: 2 });
  const half = 2 ** (bits - 1);
  return {
    name: packed.name,
    n,
    k,
    bits,
    groups: map.groups,
    groupOf: readGroups(layer, { ...map, k }),
    ...(zeros?.dtype === "I32"
      ? wordZeros(zeros, { bits, n, groups: map.groups })
      : byteZeros(zeros, { scales, half, map, n })),
    readScales: () => expandScales(readScales(scales), map, n),
    readCodes(first, count, codes) {
      const words = new Uint32Array(count * rowWords);
      packed.read(first * rowWords * 4, new Uint8Array(words.buffer));
      for (let row = 0; row < count; row++) {
        const place = { words, start: row * rowWords, step: 1, bits };
        unpackCodes(place, codes.subarray(row * k, (row + 1) * k));
      }
    },
  };
}

/** The two numbers of `weight_shape`. */
function readShape(layer: QuantizedLayer): readonly [number, number] {
  const part = requirePart(layer, "weight_shape", { dtypes: ["I64", "I32"], rank: 1 });
  if (sizeAt(part, 0) !== 2)
    throw partFault(part.name, `has the shape ${shapeText(part.shape)}; it must hold two sizes`);
  const words = readWords(part);
  const [n, k, ...high] = part.dtype === "I64" ? [words[0], words[2], words[1], words[3]] : words;
  if (n && k && n < 2 ** 31 && k < 2 ** 31 && high.every((word) => word === 0)) return [n, k];
  throw partFault(part.name, "must hold two sizes of at least 1");
}

interface ZeroWords {
  readonly bits: number;
  readonly n: number;
  readonly groups: number;
}

type Zeros = Pick<CodedMatrix, "zero" | "readZeros">;

/** Zero points in words along n. */
function wordZeros(part: RawTensor, { bits, n, groups }: ZeroWords): Zeros {
  expectShape(part, [wordsFor(n, bits), groups], `a matrix of ${n} rows and ${groups} groups`);
  return {
    zero: uniformCode(readWords(part), bits),
    readZeros: () => unpackZeros(readWords(part), { bits, n, groups }),
  };
}

/** [words][groups] → [n][groups] */
function unpackZeros(words: Uint32Array, { bits, n, groups }: ZeroWords): Int16Array {
  const codes = new Uint8Array(n * groups);
  for (let group = 0; group < groups; group++) {
    unpackCodes({ words, start: group, step: groups, bits }, codes.subarray(group * n, (group + 1) * n));
  }
  return transpose(Int16Array.from(codes), groups);
}

export interface ZeroBytes {
  readonly scales: RawTensor;
  /** Half of the range of codes, which the stored ones have more than the signed ones. */
  readonly half: number;
  readonly map: ScaleMap;
  readonly n: number;
}

/** Signed zero points, one for each scale; none: 0. */
export function byteZeros(part: RawTensor | undefined, { scales, half, map, n }: ZeroBytes): Zeros {
  if (!part) return { zero: half };
  expectShape(part, scales.shape, `scales of ${shapeText(scales.shape)}`);
  const zeros = Float32Array.from(new Int8Array(readBytes(part).buffer), (zero) => zero + half);
  const [zero] = zeros;
  if (zeros.every((one) => one === zero)) return { zero };
  return { zero: undefined, readZeros: () => Int16Array.from(expandScales(zeros, map, n)) };
}

/** `weight_g_idx` where the order of columns is the activations'. */
export function readGroups(
  layer: QuantizedLayer,
  { k, groups, columnsPerGroup }: ScaleMap & { readonly k: number },
): Uint32Array {
  const part = findPart(layer, "weight_g_idx", { dtypes: ["I32"], rank: 1 });
  return (part && readGroupIndex(part, { k, groups })) ?? evenGroups(k, columnsPerGroup);
}
