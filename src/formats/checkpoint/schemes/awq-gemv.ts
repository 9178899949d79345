/** AWQ for matrix × vector: `qweight` [n][k / 8], words along k; `qzeros` [n][≥ groups / 8]; `scales` [n][≥ groups]. */
import type { QuantizedLayer } from "../scheme.ts";
import type { AwqLayout } from "./awq-gemm.ts";
import { uniformCode, unpackCodes, wordsFor } from "./bits.ts";
import type { CodedMatrix } from "./coded.ts";
import { readScales, readWords, scaleTypes } from "./numbers.ts";
import { evenGroups } from "./order.ts";
import { expectShape, requirePart, sizeAt } from "./parts.ts";

const words = { dtypes: ["I32"], rank: 2 } as const;
const bits = 4;

/** Rows as they are used; zero points and scales are filled up to more than there are groups. */
export function openRows(layer: QuantizedLayer, { groupSize }: AwqLayout): CodedMatrix {
  const qweight = requirePart(layer, "qweight", words);
  const qzeros = requirePart(layer, "qzeros", words);
  const scales = requirePart(layer, "scales", { dtypes: scaleTypes, rank: 2 });
  const n = sizeAt(qweight, 0);
  const k = sizeAt(qweight, 1) * 8;
  const size = groupSize ?? k;
  const groups = Math.ceil(k / size);
  const zeroWords = sizeAt(qzeros, 1);
  const stored = sizeAt(scales, 1);
  expectShape(qzeros, [n, Math.max(zeroWords, wordsFor(groups, bits))], `a matrix of ${n} rows and ${groups} groups`);
  expectShape(scales, [n, Math.max(stored, groups)], `a matrix of ${n} rows and ${groups} groups`);
  return {
    name: qweight.name,
    n,
    k,
    bits,
    groups,
    groupOf: evenGroups(k, size),
    zero: uniformCode(readWords(qzeros), bits),
    readZeros: () => Int16Array.from(unpackRows(readWords(qzeros), { rowWords: zeroWords, length: groups })),
    readScales: () => readScales(scales).filter((_, index) => index % stored < groups),
    readCodes(first, count, codes) {
      const packed = new Uint32Array((count * k) / 8);
      qweight.read(first * (k / 2), new Uint8Array(packed.buffer));
      codes.set(
        unpackRows(packed, {
          rowWords: k / 8,
          length: k,
        }),
      );
    },
  };
}

/** The first `length` codes of each row. */
function unpackRows(packed: Uint32Array, { rowWords, length }: { rowWords: number; length: number }): Uint8Array {
  const rows = packed.length / rowWords;
  const codes = new Uint8Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const place = { words: packed, start: row * rowWords, step: 1, bits };
    unpackCodes(place, codes.subarray(row * length, (row + 1) * length));
  }
  return codes;
}
