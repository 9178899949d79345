/** Packing of floats: the elements stay as they are. */
import type { Code } from "./code.ts";
import { sequence } from "./code.ts";
import { v128 } from "./instructions.ts";
import type { PackFormat, PackFormats, PackStep } from "./pack-format.ts";
import { writeParts } from "./pack-format.ts";
import { shortTransposer } from "./pack-transpose.ts";

const words: PackFormat = {
  weights: 4,
  targetBytes: 128,
  write: (step) => writeParts(step, [{ offset: 0, codes: (row) => v128.load(row) }]),
};

const shorts: PackFormat = {
  weights: 8,
  targetBytes: 128,
  write: ({ scope, rows, target }: PackStep): Code => {
    const { load, columns } = shortTransposer(scope)(rows.map((row) => v128.load(row.get)));
    return sequence(load, ...columns.map((column, index) => v128.store(target.get, column, index * 16)));
  },
};

export const floatFormats: PackFormats = [
  ["F32", words],
  ["F16", shorts],
  ["BF16", shorts],
];
