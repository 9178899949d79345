/** Where a checkpoint says how its weights are quantized. */
import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";
import { createConfig } from "./config.ts";
import type { Config } from "./config.ts";
import type { CheckpointFiles } from "./files.ts";
import { isObject, readJsonFile, unsupported } from "./json.ts";
import type { RawTensor, Scheme } from "./scheme.ts";
import { schemes } from "./schemes/table.ts";

/** Files of their own that AutoGPTQ and AutoAWQ wrote before `config.json` had a place for it; the method goes without saying. */
const ownFiles = [
  ["quantize_config.json", "gptq"],
  ["quant_config.json", "awq"],
] as const;

/** The scheme of the weights; undefined: they are not quantized. Throws `model_unsupported` for a method that is not known. */
export function findScheme(files: CheckpointFiles, config: Config): Scheme | undefined {
  const settings = findSettings(files, config);
  if (!settings) return undefined;
  for (const open of schemes) {
    const scheme = open(settings);
    if (scheme) return scheme;
  }
  const { quant_method: named } = settings.values;
  const method = printable(typeof named === "string" ? named : "unknown", 40);
  throw unsupported(settings.name, "quant_method", `names the method "${method}", which hearth does not know`);
}

function findSettings(files: CheckpointFiles, config: Config): Config | undefined {
  const own = config.get("quantization_config", "compression_config");
  if (isObject(config.get("quantization")) && !(isObject(own) && "quant_method" in own)) {
    const hint = "Look for the model as it was before it was made for MLX, or as GGUF.";
    throw unsupported(
      config.name,
      "quantization",
      "is that of MLX, whose quantized weights hearth does not read",
      hint,
    );
  }
  if (isObject(own)) return createConfig(own, "quantization_config");
  if (own !== undefined) throw unsupported(config.name, "quantization_config", "is no object");
  for (const [name, method] of ownFiles) {
    const path = files.paths.get(name);
    if (path !== undefined) return createConfig({ quant_method: method, ...readJsonFile(path, name) }, name);
  }
  return undefined;
}

/** Weights that GPTQ or AWQ made, and nothing that says how many bits and columns go together. */
export function refuseUnexplained(files: CheckpointFiles, tensors: Iterable<RawTensor>): void {
  for (const { name } of tensors) {
    if (!name.endsWith(".qweight")) continue;
    const [gptq, awq] = ownFiles.map(([file]) => file);
    throw new HearthError(
      "model_malformed",
      `${files.name} has quantized weights (${printable(name)}), and no file says how they are quantized.`,
      { hint: `Fetch ${gptq} (GPTQ) or ${awq} (AWQ) into the same folder, or a config.json with quantization_config.` },
    );
  }
}
