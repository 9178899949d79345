/**
 * compressed-tensors, as llm-compressor and vLLM write it: `weight_packed` [n][k · bits / 32] words along k, or `weight` [n][k] of
 * int8 or 8-bit floats; `weight_scale` of the matrix, of each row, group or block; `weight_zero_point`; `weight_g_idx` [k].
 * Signed codes are stored with half their range added.
 */
import type { Config } from "../config.ts";
import { createConfig } from "../config.ts";
import { isObject, malformed, shown, unsupported } from "../json.ts";
import type { MatrixRows, OpenLayerOptions, OpenScheme, QuantizedLayer, RawTensorInfo } from "../scheme.ts";
import { openBytes } from "./bytes.ts";
import { codedRows, createShelf } from "./coded.ts";
import type { Shelf } from "./coded.ts";
import { float8Rows, float8Types } from "./float8.ts";
import { layerOfFloat8 } from "./fp8.ts";
import { scaleTypes } from "./numbers.ts";
import { openPacked } from "./packed.ts";
import { isCacheScale, requirePart, stripEnding } from "./parts.ts";
import { allow, describeGroups, isSize, settingsOf } from "./settings.ts";

const endings = [
  ".weight_packed",
  ".weight_scale",
  ".weight_zero_point",
  ".weight_shape",
  ".weight_g_idx",
  ".weight_global_scale",
  ".input_scale",
  ".input_zero_point",
  ".input_global_scale",
  ".output_scale",
  ".output_zero_point",
];
const formats = ["pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mixed-precision", "dense"];

interface Layout {
  readonly block: readonly [number, number] | undefined;
  readonly shelf: Shelf;
}

export const openCompressed: OpenScheme = (config) => {
  const settings = settingsOf(config, "compressed-tensors", "compressed_tensors");
  if (!settings) return undefined;
  const hint = "Look for a version in W4A16, W8A8 or FP8, or as GGUF.";
  allow(settings, "format", formats, hint);
  refuseSparse(settings);
  const groups = weightsOf(settings);
  for (const weights of groups) {
    allow(weights, "type", ["int", "float"]);
    allow(weights, "strategy", ["tensor", "channel", "group", "block"], hint);
  }
  const blocks = groups.flatMap((weights) => blockOf(weights) ?? []);
  const layout: Layout = { block: blocks[0], shelf: createShelf() };
  return {
    description: `compressed-tensors, ${describe(groups) || (settings.text("format") ?? "dense")}`,
    layerOf: (tensor) => stripEnding(tensor.name, endings) ?? layerOfCodes(tensor),
    isUnused: isCacheScale,
    openLayer: (layer, options) => openLayer(layer, layout, options),
  };
};

function layerOfCodes(tensor: RawTensorInfo): string | undefined {
  return tensor.dtype === "I8" ? stripEnding(tensor.name, [".weight"]) : layerOfFloat8(tensor);
}

function refuseSparse(settings: Config): void {
  const sparsity = settings.object("sparsity_config")?.text("format") ?? "dense";
  if (sparsity !== "dense") {
    throw unsupported(
      settings.name,
      "sparsity_config.format",
      `is ${sparsity}`,
      "Look for the model without sparse weights.",
    );
  }
  const transforms = settings.object("transform_config")?.object("config_groups");
  if (transforms && Object.keys(transforms.values).length > 0) {
    const hint = "Look for a version without rotations of activations.";
    throw unsupported(
      settings.name,
      "transform_config",
      "is not empty; activations would have to be transformed",
      hint,
    );
  }
}

/** `weights` of each of the `config_groups`. */
function weightsOf(settings: Config): readonly Config[] {
  const groups = settings.object("config_groups");
  return Object.entries(groups?.values ?? {}).flatMap(([name, group]) => {
    const path = `${settings.name}: config_groups.${name}`;
    if (!isObject(group)) throw malformed(settings.name, `config_groups.${name}`, "must be an object");
    return createConfig(group, path).object("weights") ?? [];
  });
}

function blockOf(weights: Config): (readonly [number, number])[] | undefined {
  const value = weights.get("block_structure");
  if (value === undefined) return undefined;
  const sizes = typeof value === "string" ? value.split("x").map(Number) : value;
  const [rows, columns]: readonly unknown[] = Array.isArray(sizes) ? sizes : [];
  if (isSize(rows) && isSize(columns)) return [[rows, columns]];
  throw malformed(weights.name, "block_structure", `is ${shown(value)}; it must be two numbers`);
}

function describe(groups: readonly Config[]): string {
  const texts = groups.map((weights) => {
    const size = weights.get("group_size");
    const arrangement = isSize(size)
      ? describeGroups(size)
      : `a scale for each ${weights.text("strategy") ?? "tensor"}`;
    return `${weights.text("type") ?? "int"}${weights.integer("num_bits") ?? 8}, ${arrangement}`;
  });
  return [...new Set(texts)].join("; ");
}

function openLayer(layer: QuantizedLayer, { block, shelf }: Layout, options?: OpenLayerOptions): MatrixRows {
  if (layer.parts.has("weight_global_scale")) {
    const hint = "Look for a version in W4A16, W8A8 or FP8.";
    throw unsupported(layer.name, "weight_global_scale", "belongs to NVFP4, which hearth does not read here", hint);
  }
  if (layer.parts.has("weight_packed")) return codedRows(openPacked(layer), shelf, options);
  const weight = requirePart(layer, "weight", { dtypes: ["I8", ...float8Types], rank: 2 });
  if (weight.dtype === "I8") return codedRows(openBytes(layer, block), shelf, options);
  const scales = requirePart(layer, "weight_scale", { dtypes: scaleTypes });
  return float8Rows({ weight, scales, block });
}
