/**
 * bitsandbytes. Four bits (QLoRA, arXiv 2305.14314): `weight`, two codes a byte, the first in the high half, rows one after
 * the other; `weight.quant_map`, their 16 values; `weight.absmax`, the scale of each block of codes, itself perhaps quantized;
 * `weight.quant_state.…`, a JSON text. Eight bits (LLM.int8, arXiv 2208.07339): `weight` [n][k] and `SCB` [n].
 */
import type { MatrixRows, OpenScheme, QuantizedLayer, RawTensorInfo } from "../scheme.ts";
import { codedRows, createShelf } from "./coded.ts";
import type { Shelf } from "./coded.ts";
import { isEncoded, tableRows } from "./nibble-table.ts";
import { readBytes, readScales } from "./numbers.ts";
import { evenGroups } from "./order.ts";
import { expectShape, findPart, partUnsupported, requirePart, sizeAt, stripEnding } from "./parts.ts";
import { allow, settingsOf } from "./settings.ts";

const endings = [
  ".weight.absmax",
  ".weight.quant_map",
  ".weight.nested_absmax",
  ".weight.nested_quant_map",
  ".weight.quant_state.bitsandbytes__nf4",
  ".weight.quant_state.bitsandbytes__fp4",
  ".SCB",
  ".weight_format",
];

export const openBitsAndBytes: OpenScheme = (config) => {
  const settings = settingsOf(config, "bitsandbytes");
  if (!settings) return undefined;
  allow(settings, "bnb_4bit_quant_storage", ["uint8"], "Save the model again with bnb_4bit_quant_storage of uint8.");
  const shelf = createShelf();
  const four = settings.boolean("load_in_4bit") ?? false;
  return {
    description: four ? `bitsandbytes, ${settings.text("bnb_4bit_quant_type") ?? "fp4"}` : "bitsandbytes, 8 bits",
    layerOf: (tensor) => stripEnding(tensor.name, endings) ?? layerOfCodes(tensor),
    openLayer: (layer) => (isEncoded(layer) ? tableRows(layer) : openBytes(layer, shelf)),
  };
};

/** Weights of bytes are codes; others were left alone. */
function layerOfCodes({ name, dtype }: RawTensorInfo): string | undefined {
  return dtype === "U8" || dtype === "I8" ? stripEnding(name, [".weight"]) : undefined;
}

/** weight = code · SCB / 127 */
function openBytes(layer: QuantizedLayer, shelf: Shelf): MatrixRows {
  const weight = requirePart(layer, "weight", { dtypes: ["I8"], rank: 2 });
  const scales = requirePart(layer, "SCB", { dtypes: ["F32", "F16", "BF16"] });
  const [n, k] = [sizeAt(weight, 0), sizeAt(weight, 1)];
  expectShape(scales, [n], `a matrix of ${n} rows`);
  checkFormat(layer);
  return codedRows(
    {
      name: weight.name,
      n,
      k,
      bits: 8,
      groups: 1,
      groupOf: evenGroups(k, k),
      zero: 128,
      readScales: () => readScales(scales).map((scale) => scale / 127),
      readCodes(first, count, codes) {
        weight.read(first * k, codes.subarray(0, count * k));
        for (let i = 0; i < count * k; i++) codes[i]! ^= 128;
      },
    },
    shelf,
  );
}

/** 0: rows as they are. The others are orders of old kernels. */
function checkFormat(layer: QuantizedLayer): void {
  const part = findPart(layer, "weight_format", { dtypes: ["U8"] });
  const format = part && readBytes(part)[0];
  if (part && format)
    throw partUnsupported(part.name, `is ${format}; hearth reads rows in order (0)`, "Save the model again.");
}
