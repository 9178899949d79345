import type { QuantizedLayer } from "../scheme.ts";
import type { CodedMatrix } from "./coded.ts";
import { readScales, scaleTypes } from "./numbers.ts";
import { byteZeros, readGroups } from "./packed.ts";
import { findPart, requirePart, sizeAt } from "./parts.ts";
import { expandScales, mapScales } from "./scales.ts";

/** A matrix of int8, read as codes from 0 with the zero point 128. */
export function openBytes(layer: QuantizedLayer, block: readonly [number, number] | undefined): CodedMatrix {
  const weight = requirePart(layer, "weight", { dtypes: ["I8"], rank: 2 });
  const scales = requirePart(layer, "weight_scale", { dtypes: scaleTypes });
  const [n, k] = [sizeAt(weight, 0), sizeAt(weight, 1)];
  const map = mapScales(scales, { n, k, block });
  const zeros = findPart(layer, "weight_zero_point", { dtypes: ["I8"] });
  return {
    name: weight.name,
    n,
    k,
    bits: 8,
    groups: map.groups,
    groupOf: readGroups(layer, { ...map, k }),
    ...byteZeros(zeros, { scales, half: 128, map, n }),
    readScales: () => expandScales(readScales(scales), map, n),
    readCodes(first, count, codes) {
      weight.read(first * k, codes.subarray(0, count * k));
      for (let i = 0; i < count * k; i++) codes[i]! ^= 128;
    },
  };
}
