/**
 * AWQ for matrix × matrix: `qweight` [k][n / 8], words of eight outputs, even ones first; `qzeros` [groups][n / 8] likewise;
 * `scales` [groups][n].
 */
import type { QuantizedLayer } from "../scheme.ts";
import { awqShifts, uniformCode } from "./bits.ts";
import type { CodedMatrix, Shelf } from "./coded.ts";
import { readScales, readWords, scaleTypes, transpose } from "./numbers.ts";
import { evenGroups } from "./order.ts";
import { expectShape, partFault, requirePart, sizeAt } from "./parts.ts";
import { describeGroups } from "./settings.ts";
import { createStrips } from "./strips.ts";

const words = { dtypes: ["I32"], rank: 2 } as const;
const bits = 4;

export interface AwqLayout {
  readonly groupSize: number | undefined;
  readonly shelf: Shelf;
}

/** Columns of a group, from how many groups there are. */
function groupSizeFor(
  layer: QuantizedLayer,
  { k, groups, groupSize }: { k: number; groups: number; groupSize: number | undefined },
): number {
  const size = groupSize ?? k;
  if (Math.ceil(k / size) === groups) return size;
  const problem = `has ${groups} groups; ${k} columns in ${describeGroups(groupSize)} have ${Math.ceil(k / size)}`;
  throw partFault(`${layer.name}.scales`, problem);
}

export function openColumns(layer: QuantizedLayer, { groupSize, shelf }: AwqLayout): CodedMatrix {
  const qweight = requirePart(layer, "qweight", words);
  const qzeros = requirePart(layer, "qzeros", words);
  const scales = requirePart(layer, "scales", { dtypes: scaleTypes, rank: 2 });
  const k = sizeAt(qweight, 0);
  const n = sizeAt(qweight, 1) * 8;
  const groups = sizeAt(scales, 0);
  expectShape(scales, [groups, n], `qweight of ${k} × ${n / 8} words`);
  expectShape(qzeros, [groups, n / 8], `scales of ${groups} × ${n}`);
  const groupOf = evenGroups(k, groupSizeFor(layer, { k, groups, groupSize }));
  const strip = createStrips(qweight, shelf.strips);
  return {
    name: qweight.name,
    n,
    k,
    bits,
    groups,
    groupOf,
    zero: uniformCode(readWords(qzeros), bits),
    readZeros: () => transpose(unpackColumns(readWords(qzeros)), groups),
    readScales: () => transpose(readScales(scales), groups),
    readCodes(first, count, codes) {
      for (let word = first >> 3; word * 8 < first + count; word++) {
        const { words: packed, first: start, width } = strip(word);
        const row = word * 8 - first;
        const lanes = { first: Math.max(0, -row), end: Math.min(8, count - row) };
        spreadWords({ packed, start: word - start, step: width }, { codes, k, row, lanes });
      }
    },
  };
}

interface WordColumn {
  readonly packed: Uint32Array;
  readonly start: number;
  readonly step: number;
}

interface OutputRows {
  readonly codes: Uint8Array;
  readonly k: number;
  /** That of the first lane; the rows of `lanes` are there. */
  readonly row: number;
  readonly lanes: { readonly first: number; readonly end: number };
}

/** A word for each input, with a code of each of eight rows. */
function spreadWords({ packed, start, step }: WordColumn, { codes, k, row, lanes }: OutputRows): void {
  const { first, end } = lanes;
  for (let i = 0, from = start; i < k; i++, from += step) {
    const word = packed[from]!;
    for (let lane = first, at = (row + first) * k + i; lane < end; lane++, at += k) {
      codes[at] = (word >>> awqShifts[lane]!) & 15;
    }
  }
}

/** Words of eight outputs, even ones first, as numbers in order. */
function unpackColumns(packed: Uint32Array): Int16Array {
  const codes = new Int16Array(packed.length * 8);
  for (let i = 0; i < codes.length; i++) codes[i] = (packed[i >> 3]! >>> awqShifts[i & 7]!) & 15;
  return codes;
}
