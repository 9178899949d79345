import type { QuantizedLayer } from "../scheme.ts";
import { shapeText } from "../../safetensors/parse.ts";
import type { CodedMatrix } from "./coded.ts";
import { zeroPoints } from "./gptq.ts";
import { readBytes, readScales, scaleTypes } from "./numbers.ts";
import { expandZeros, readGroups } from "./packed.ts";
import { expectShape, findPart, requirePart, sizeAt } from "./parts.ts";
import { expandScales, mapScales } from "./scales.ts";

/** A matrix of int8, read as codes from 0 with the zero point 128. */
export function openBytes(layer: QuantizedLayer, block: readonly [number, number] | undefined): CodedMatrix {
  const weight = requirePart(layer, "weight", { dtypes: ["I8"], rank: 2 });
  const scales = requirePart(layer, "weight_scale", { dtypes: scaleTypes });
  const [n, k] = [sizeAt(weight, 0), sizeAt(weight, 1)];
  const map = mapScales(scales, { n, k, block });
  const zeros = findPart(layer, "weight_zero_point", { dtypes: ["I8"] });
  if (zeros) expectShape(zeros, scales.shape, `scales of ${shapeText(scales.shape)}`);
  const readZeros = (): Int16Array => {
    if (!zeros) return new Int16Array([128]);
    return expandZeros(
      Int16Array.from(new Int8Array(readBytes(zeros).buffer), (zero) => zero + 128),
      map,
      n,
    );
  };
  return {
    name: weight.name,
    n,
    k,
    bits: 8,
    groups: map.groups,
    groupOf: readGroups(layer, {
      ...map,
      k,
    }),
    ...zeroPoints(readZeros),
    readScales: () => expandScales(readScales(scales), map, n),
    readCodes(first, count, codes) {
      weight.read(first * k, codes.subarray(0, count * k));
      for (let i = 0; i < count * k; i++) codes[i]! ^= 128;
    },
  };
}
