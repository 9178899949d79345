/**
 * AWQ (arXiv 2306.00978) as AutoAWQ stores it, four bits. GEMM: `qweight` [k][n / 8], words of eight outputs, even ones first;
 * `qzeros` [groups][n / 8] likewise; `scales` [groups][n]. GEMV: `qweight` [n][k / 8], words along k; `qzeros` [n][≥ groups / 8];
 * `scales` [n][≥ groups].
 */
import { unsupported } from "../json.ts";
import type { OpenScheme, QuantizedLayer } from "../scheme.ts";
import { awqOrder, unpackCodes, wordsFor } from "./bits.ts";
import { codedRows, createShelf } from "./coded.ts";
import type { CodedMatrix, Shelf } from "./coded.ts";
import { zeroPoints } from "./gptq.ts";
import { readScales, readWords, scaleTypes, transpose } from "./numbers.ts";
import { evenGroups } from "./order.ts";
import { expectShape, partFault, requirePart, sizeAt, stripEnding } from "./parts.ts";
import { allow, describeGroups, groupSizeOf, settingsOf } from "./settings.ts";
import { createStrips } from "./strips.ts";

const endings = [".qweight", ".qzeros", ".scales"];
const words = { dtypes: ["I32"], rank: 2 } as const;
const bits = 4;

interface Layout {
  readonly groupSize: number | undefined;
  readonly shelf: Shelf;
}

export const openAwq: OpenScheme = (config) => {
  const settings = settingsOf(config, "awq");
  if (!settings) return undefined;
  allow(settings, "bits", [4]);
  allow(settings, "w_bit", [4]);
  const format = (settings.text("version", "checkpoint_format", "format") ?? "gemm").toLowerCase();
  // The same files under the names of other kernels.
  const gemm = ["gemm", "exllama", "ipex"].includes(format);
  if (!gemm && format !== "gemv") {
    throw unsupported(
      "quantization_config",
      "version",
      `is ${format}; hearth reads gemm and gemv`,
      "Look for the gemm version.",
    );
  }
  const groupSize = groupSizeOf(settings, "group_size", "q_group_size");
  const layout: Layout = { groupSize, shelf: createShelf() };
  return {
    description: `AWQ, 4 bits, ${describeGroups(groupSize)}`,
    layerOf: ({ name }) => stripEnding(name, endings),
    openLayer: (layer) => codedRows((gemm ? openColumns : openRows)(layer, layout), layout.shelf),
  };
};

/** Columns of a group, from how many groups there are. */
function groupSizeFor(
  layer: QuantizedLayer,
  { k, groups, layout }: { k: number; groups: number; layout: Layout },
): number {
  const size = layout.groupSize ?? k;
  if (Math.ceil(k / size) === groups) return size;
  const problem = `has ${groups} groups; ${k} columns in ${describeGroups(layout.groupSize)} have ${Math.ceil(k / size)}`;
  throw partFault(`${layer.name}.scales`, problem);
}

/** GEMM: outputs side by side. */
function openColumns(layer: QuantizedLayer, layout: Layout): CodedMatrix {
  const qweight = requirePart(layer, "qweight", words);
  const qzeros = requirePart(layer, "qzeros", words);
  const scales = requirePart(layer, "scales", { dtypes: scaleTypes, rank: 2 });
  const k = sizeAt(qweight, 0);
  const n = sizeAt(qweight, 1) * 8;
  const groups = sizeAt(scales, 0);
  expectShape(scales, [groups, n], `qweight of ${k} × ${n / 8} words`);
  expectShape(qzeros, [groups, n / 8], `scales of ${groups} × ${n}`);
  const groupOf = evenGroups(k, groupSizeFor(layer, { k, groups, layout }));
  const strip = createStrips(qweight, layout.shelf.strips);
  return {
    name: qweight.name,
    n,
    k,
    bits,
    groups,
    groupOf,
    ...zeroPoints(() => transpose(unpackColumns(readWords(qzeros)), groups)),
    readScales: () => transpose(readScales(scales), groups),
    readCodes(first, count, codes) {
      for (let word = first >> 3; word * 8 < first + count; word++) {
        const { words: strips, first: start, width } = strip(word);
        for (let lane = 0; lane < 8; lane++) {
          const row = word * 8 + lane - first;
          if (row < 0 || row >= count) continue;
          const shift = 4 * awqOrder[lane]!;
          for (let i = 0, from = word - start; i < k; i++, from += width)
            codes[row * k + i] = (strips[from]! >>> shift) & 15;
        }
      }
    },
  };
}

/** Words of eight outputs, even ones first, as numbers in order. */
function unpackColumns(packed: Uint32Array): Int16Array {
  const codes = new Int16Array(packed.length * 8);
  for (let i = 0; i < codes.length; i++) codes[i] = (packed[i >> 3]! >>> (4 * awqOrder[i & 7]!)) & 15;
  return codes;
}

/** GEMV: rows as they are used; zero points and scales are filled up to more than there are groups. */
function openRows(layer: QuantizedLayer, layout: Layout): CodedMatrix {
  const qweight = requirePart(layer, "qweight", words);
  const qzeros = requirePart(layer, "qzeros", words);
  const scales = requirePart(layer, "scales", { dtypes: scaleTypes, rank: 2 });
  const n = sizeAt(qweight, 0);
  const k = sizeAt(qweight, 1) * 8;
  const size = layout.groupSize ?? k;
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
    ...zeroPoints(() =>
      Int16Array.from(
        unpackRows(readWords(qzeros), {
          rowWords: zeroWords,
          length: groups,
        }),
      ),
    ),
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
