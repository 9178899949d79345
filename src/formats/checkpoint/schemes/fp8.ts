/**
 * Checkpoints of 8-bit floats: `weight` and, as DeepSeek publishes them, `weight_scale_inv` for blocks of 128 × 128, or
 * `weight_scale` for the whole matrix or each row (vLLM, FBGEMM). Despite its name `weight_scale_inv` is what weights are
 * multiplied with.
 */
import { malformed, shown } from "../json.ts";
import type { Config } from "../config.ts";
import type { MatrixRows, OpenScheme, QuantizedLayer, RawTensorInfo } from "../scheme.ts";
import { float8Rows, float8Types } from "./float8.ts";
import { scaleTypes } from "./numbers.ts";
import { findPart, isCacheScale, requirePart, stripEnding } from "./parts.ts";
import { isSize, settingsOf } from "./settings.ts";

/** The last two belong to activations. */
const endings = [".weight_scale_inv", ".weight_scale", ".input_scale", ".activation_scale", ".input_scale_ub"];

export const openFp8: OpenScheme = (config) => {
  const settings = settingsOf(config, "fp8", "fbgemm_fp8");
  if (!settings) return undefined;
  const block = blockOf(settings);
  return {
    description: block ? `FP8, blocks of ${block.join(" × ")}` : "FP8",
    layerOf: (tensor) => stripEnding(tensor.name, endings) ?? layerOfFloat8(tensor),
    isUnused: isCacheScale,
    openLayer: (layer) => openLayer(layer, block),
  };
};

/** A weight of 8 bits is a part; one of 16 was left alone. */
export function layerOfFloat8({ name, dtype }: RawTensorInfo): string | undefined {
  return float8Types.includes(dtype) ? stripEnding(name, [".weight"]) : undefined;
}

function openLayer(layer: QuantizedLayer, block: readonly [number, number] | undefined): MatrixRows {
  const weight = requirePart(layer, "weight", { dtypes: float8Types, rank: 2 });
  const kind = { dtypes: scaleTypes };
  const scales = findPart(layer, "weight_scale_inv", kind) ?? requirePart(layer, "weight_scale", kind);
  return float8Rows({ weight, scales, block });
}

function blockOf(settings: Config): readonly [number, number] | undefined {
  const value = settings.get("weight_block_size");
  if (value === undefined) return undefined;
  const sizes: readonly unknown[] = Array.isArray(value) ? value : [];
  const [rows, columns] = sizes;
  if (sizes.length === 2 && isSize(rows) && isSize(columns)) return [rows, columns];
  throw malformed(settings.name, "weight_block_size", `is ${shown(value)}; it must be two numbers, as in [128, 128]`);
}
