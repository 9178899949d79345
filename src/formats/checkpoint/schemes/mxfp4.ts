/**
 * MXFP4 (OCP Microscaling Formats 1.0) as gpt-oss publishes it: `NAME_blocks` [experts][n][k / 32][16], two codes a byte, the first
 * in the low half; `NAME_scales` [experts][n][k / 32], powers of two. The type of ggml has the same codes in another order.
 */
import type { MatrixRows, OpenScheme, QuantizedLayer } from "../scheme.ts";
import { expectShape, partFault, requirePart, stripEnding } from "./parts.ts";
import { shapeText } from "../../safetensors/parse.ts";
import { settingsOf } from "./settings.ts";

const blockBytes = 17;

export const openMxfp4: OpenScheme = (config) => {
  if (!settingsOf(config, "mxfp4")) return undefined;
  return {
    description: "MXFP4",
    layerOf: ({ name }) => stripEnding(name, ["_blocks", "_scales"]),
    openLayer,
  };
};

/** Experts one below the other. */
function openLayer(layer: QuantizedLayer): MatrixRows {
  const blocks = requirePart(layer, "blocks", { dtypes: ["U8"] });
  const scales = requirePart(layer, "scales", { dtypes: ["U8"] });
  const sizes = blocks.shape;
  if (sizes.length < 3 || sizes.at(-1) !== 16) {
    throw partFault(blocks.name, `has the shape ${shapeText(sizes)}; the last of 3 or 4 dimensions must be 16`);
  }
  expectShape(scales, sizes.slice(0, -1), `blocks of ${shapeText(sizes)}`);
  const rowBlocks = sizes.at(-2) ?? 1;
  const n = blocks.sizeBytes / 16 / rowBlocks;
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const codes = new Uint8Array(count * rowBlocks * 16);
    const exponents = new Uint8Array(count * rowBlocks);
    blocks.read(first * rowBlocks * 16, codes);
    scales.read(first * rowBlocks, exponents);
    for (let block = 0; block < exponents.length; block++) {
      const at = block * blockBytes;
      target[at] = exponents[block]!;
      pairHalves(codes.subarray(block * 16, (block + 1) * 16), target.subarray(at + 1, at + blockBytes));
    }
  };
  return { type: "MXFP4", n, k: rowBlocks * 32, readRows };
}

/** Neighbours in a byte → codes j and j + 16 in a byte. */
function pairHalves(codes: Uint8Array, target: Uint8Array): void {
  for (let j = 0; j < 16; j++) {
    const shift = (j & 1) * 4;
    target[j] = ((codes[j >> 1]! >> shift) & 15) | (((codes[8 + (j >> 1)]! >> shift) & 15) << 4);
  }
}
