/**
 * GPTQ (arXiv 2210.17323) as AutoGPTQ and GPTQModel store it: `qweight` [k · bits / 32][n], words of codes along k;
 * `qzeros` [groups][n · bits / 32], words along n; `scales` [groups][n]; `g_idx` [k], the group of each column.
 */
import { unsupported } from "../json.ts";
import type { OpenLayerOptions, OpenScheme, MatrixRows, QuantizedLayer } from "../scheme.ts";
import { onesOf, uniformCode, unpackCodes, wordsFor } from "./bits.ts";
import { codedRows, createShelf } from "./coded.ts";
import type { CodedMatrix, Shelf } from "./coded.ts";
import { readScales, readWords, scaleTypes, transpose } from "./numbers.ts";
import { evenGroups, readGroupIndex } from "./order.ts";
import { expectShape, findPart, partFault, requirePart, sizeAt, stripEnding } from "./parts.ts";
import { allow, describeGroups, groupSizeOf, settingsOf } from "./settings.ts";
import { createStrips } from "./strips.ts";

const endings = [".qweight", ".qzeros", ".scales", ".g_idx"];
const widths = [2, 3, 4, 8];
const plain = { dtypes: ["I32"], rank: 2 } as const;

interface Layout {
  readonly bits: number;
  /** Of the configuration; layers may differ where it has exceptions (`dynamic`). */
  readonly groupSize: number | undefined;
  /** Zero points are stored less one (`checkpoint_format` "gptq"). */
  readonly lessOne: boolean;
  readonly shelf: Shelf;
}

export const openGptq: OpenScheme = (config) => {
  const settings = settingsOf(config, "gptq");
  if (!settings) return undefined;
  const bits = settings.requireInteger("bits");
  allow(settings, "bits", widths, "Look for a version of 4 or 8 bits.");
  const format = settings.text("checkpoint_format", "format") ?? "gptq";
  if (format !== "gptq" && format !== "gptq_v2") {
    const hint = "Look for the model as plain GPTQ: other formats are made for one kernel.";
    throw unsupported(settings.name, "checkpoint_format", `is ${format}; hearth reads gptq and gptq_v2`, hint);
  }
  allow(settings, "is_marlin_format", [false]);
  allow(settings, "pack_dtype", ["int32"]);
  allow(settings, "rotation", [""]);
  const groupSize = groupSizeOf(settings, "group_size");
  const layout: Layout = { bits, groupSize, lessOne: format === "gptq", shelf: createShelf() };
  return {
    description: `GPTQ, ${bits} bits, ${describeGroups(groupSize)}`,
    layerOf: ({ name }) => stripEnding(name, endings),
    openLayer: (layer, options) => openLayer(layer, layout, options),
  };
};

function openLayer(layer: QuantizedLayer, layout: Layout, options?: OpenLayerOptions): MatrixRows {
  const qweight = requirePart(layer, "qweight", plain);
  const qzeros = requirePart(layer, "qzeros", plain);
  const scales = requirePart(layer, "scales", { dtypes: scaleTypes, rank: 2 });
  const [groups, n] = [sizeAt(scales, 0), sizeAt(scales, 1)];
  const bits = [layout.bits, ...widths].find((width) => wordsFor(n, width) === sizeAt(qzeros, 1));
  if (bits === undefined) {
    throw partFault(qzeros.name, `has rows of ${sizeAt(qzeros, 1)} words for the ${n} columns of scales`);
  }
  expectShape(qzeros, [groups, wordsFor(n, bits)], `scales of ${groups} × ${n}`);
  const k = Math.floor((sizeAt(qweight, 0) * 32) / bits);
  expectShape(qweight, [wordsFor(k, bits), n], `a matrix of ${n} rows and ${k} columns with ${bits} bits`);
  const groupOf = readGroups(layer, { k, groups, layout });
  const strip = createStrips(qweight, layout.shelf.strips);
  const matrix: CodedMatrix = {
    name: qweight.name,
    n,
    k,
    bits,
    groups,
    groupOf,
    zero: uniformZero(readWords(qzeros), { ...layout, bits }),
    readZeros: () => transpose(unpackZeros(readWords(qzeros), { ...layout, bits, n }), groups),
    readScales: () => transpose(readScales(scales), groups),
    readCodes(first, count, codes) {
      for (let row = 0; row < count; row++) {
        const { words, first: start, width } = strip(first + row);
        const packed = {
          words,
          start: first + row - start,
          step: width,
          bits,
        };
        unpackCodes(packed, codes.subarray(row * k, (row + 1) * k));
      }
    },
  };
  return codedRows(matrix, layout.shelf, options);
}

interface Groups {
  readonly k: number;
  readonly groups: number;
  readonly layout: Layout;
}

/** `g_idx`, or groups of equal size where a file does without it. */
function readGroups(layer: QuantizedLayer, { k, groups, layout }: Groups): Uint32Array {
  const part = findPart(layer, "g_idx", { dtypes: ["I32"], rank: 1 });
  const groupOf = part && readGroupIndex(part, { k, groups });
  if (groupOf) return groupOf;
  const size = [layout.groupSize ?? k, k / groups].find((one) => Math.ceil(k / one) === groups);
  if (size !== undefined && Number.isInteger(size)) return evenGroups(k, size);
  const problem = `has ${groups} groups; ${k} columns do not divide so with ${describeGroups(layout.groupSize)}`;
  throw partFault(`${layer.name}.scales`, problem);
}

interface ZeroWords {
  readonly bits: number;
  readonly n: number;
  readonly lessOne: boolean;
}

function uniformZero(words: Uint32Array, { bits, lessOne }: Omit<ZeroWords, "n">): number | undefined {
  const code = uniformCode(words, bits);
  if (code === undefined || !lessOne) return code;
  return code + 1 < 2 ** bits ? code + 1 : undefined;
}

/**
 * [groups][n]. Less one was subtracted from whole words, so it is added to whole words; three bits cross words and are
 * counted one by one.
 */
function unpackZeros(words: Uint32Array, { bits, n, lessOne }: ZeroWords): Int16Array {
  const rowWords = wordsFor(n, bits);
  const groups = words.length / rowWords;
  const codes = new Uint8Array(n * groups);
  const whole = lessOne && bits !== 3;
  const stored = whole ? words.map((word) => word + onesOf(bits)) : words;
  for (let group = 0; group < groups; group++) {
    const packed = { words: stored, start: group * rowWords, step: 1, bits };
    unpackCodes(packed, codes.subarray(group * n, (group + 1) * n));
  }
  return Int16Array.from(codes, (code) => (lessOne && !whole ? (code + 1) & 7 : code));
}
