/** LoRA adapters (arXiv 2106.09685) as PEFT saves them, read as the GGUF file that llama.cpp would have of them. */
import { join } from "node:path";
import type { HearthError } from "../../error.ts";
import { stringOf } from "../gguf/check.ts";
import type { GgufFile } from "../gguf/types.ts";
import { printable } from "../gguf/malformed.ts";
import { openSafetensors } from "../safetensors/read.ts";
import { encodeRows } from "./cast.ts";
import type { Config } from "./config.ts";
import { createConfig } from "./config.ts";
import { float, text } from "./family.ts";
import type { ChooseRows, Family, Sizes } from "./family.ts";
import { familiesByArchitecture } from "./families/table.ts";
import { malformed, readJsonFile, unsupported } from "./json.ts";
import { toEntries, toMetadata } from "./metadata.ts";
import { ggufName, parseTensorName } from "./names.ts";
import type { TensorName } from "./names.ts";
import { readSizes } from "./reverse/config.ts";
import { orderRows, rawRows } from "./rows.ts";
import type { MatrixRows, RawTensor } from "./scheme.ts";
import type { NamedTensor } from "./tensors.ts";
import { alignment, layOut } from "./virtual.ts";
import type { ReadData } from "./virtual.ts";

export interface PeftAdapter {
  readonly file: GgufFile;
  readonly read: ReadData;
  readonly close: () => void;
}

const configName = "adapter_config.json";
const weightsName = "adapter_model.safetensors";

/**
 * Opens a folder with `adapter_config.json` and `adapter_model.safetensors` for a model whose header is given: names and the
 * order of rows depend on it. Throws `model_unsupported` for what is not plain LoRA.
 */
export function openPeft(folder: string, model: GgufFile): PeftAdapter {
  const config = createConfig(readJsonFile(join(folder, configName), configName), configName);
  checkConfig(config);
  const architecture = stringOf(model, "general.architecture") ?? "";
  const family = familiesByArchitecture.get(architecture);
  if (!family) throw unsupported(configName, "base_model_name_or_path", `is of the architecture "${architecture}"`);
  const { file, read, close } = openSafetensors(join(folder, weightsName), weightsName);
  try {
    const context = { config, family, sizes: readSizes(model, architecture) };
    const tensors = [...file.tensors.values()].flatMap(({ name, dtype, shape, sizeBytes, offset }) =>
      toPair({ name, dtype, shape, sizeBytes, read: (at, target) => read(offset + at, target) }, context),
    );
    const data = layOut(tensors);
    const alpha = isUniform(config) ? config.requireNumber("lora_alpha") : undefined;
    const metadata = {
      "general.type": text("adapter"),
      "general.architecture": text(architecture),
      "adapter.type": text("lora"),
      ...(alpha !== undefined && { "adapter.lora.alpha": float(alpha) }),
    };
    const header: GgufFile = {
      name: folder,
      version: 3,
      metadata: toMetadata(metadata),
      entries: toEntries(metadata),
      tensors: data.tensors,
      dataOffset: 0,
      fileBytes: data.dataBytes,
      alignment,
    };
    return { file: header, read: data.read, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** What changes the product beyond B (A x). */
function checkConfig(config: Config): void {
  const type = config.text("peft_type") ?? "LORA";
  if (type !== "LORA") throw unsupported(configName, "peft_type", `is "${type}"; only LORA is known`);
  for (const name of ["use_dora", "fan_in_fan_out", "lora_bias", "use_qalora"]) {
    if (config.boolean(name)) throw unsupported(configName, name, "is true, which is not plain LoRA");
  }
  const bias = config.text("bias") ?? "none";
  if (bias !== "none") throw unsupported(configName, "bias", `is "${bias}"; biases are not adapted`);
}

/** One factor for all: alpha over the rank. Otherwise each B gets its own. */
function isUniform(config: Config): boolean {
  const patterned = ["alpha_pattern", "rank_pattern"].some(
    (name) => Object.keys(config.object(name)?.values ?? {}).length > 0,
  );
  return !patterned && !config.boolean("use_rslora");
}

interface PairContext {
  readonly config: Config;
  readonly family: Family;
  readonly sizes: Sizes;
}

/** `….q_proj.lora_A.weight`; older files have the adapter's name behind the side. */
const sides = /^(.+)\.lora_([AB])(?:\.[\w-]+)?\.weight$/;

function toPair(raw: RawTensor, { config, family, sizes }: PairContext): readonly NamedTensor[] {
  const [, module = "", side] = sides.exec(raw.name) ?? [];
  const fail = (problem: string): HearthError => unsupported(weightsName, printable(raw.name), problem);
  if (side === undefined) throw fail("is no lora_A or lora_B of a matrix; only those are known");
  if (raw.shape.length !== 2) throw malformed(weightsName, raw.name, `has ${raw.shape.length} dimensions; LoRA has 2`);
  const name = parseModule(module, family);
  const rule = family.rules.find(({ from }) => from === name.pattern);
  if (!rule || rule.place !== undefined || name.index !== undefined)
    throw fail("adapts a matrix that is not known here");
  const rows = rawRows(raw);
  return [rule, ...(rule.and ?? [])].map((part) => {
    const base = ggufName(part.to, { ...name, suffix: "weight" });
    if (side === "A") return named(`${base}.lora_a`, rows);
    const ordered = part.rows ? orderRows(rows, checkOrder(part.rows, rows, { sizes, fail })) : rows;
    return named(`${base}.lora_b`, isUniform(config) ? ordered : scaled(ordered, scaleOf(config, module, rows.k)));
  });
}

function named(name: string, rows: MatrixRows): NamedTensor {
  return { name, shape: [rows.k, rows.n], rows };
}

function parseModule(module: string, { prefixes = ["model."], rules }: Family): TensorName {
  const inner = module.replace(/^base_model\.model\./, "");
  const known = new Set(rules.map(({ from }) => from));
  const names = [...prefixes, ""].map((prefix) => parseTensorName(`${inner}.weight`, prefix));
  return names.find(({ pattern }) => known.has(pattern)) ?? parseTensorName(`${inner}.weight`, "");
}

interface OrderContext {
  readonly sizes: Sizes;
  readonly fail: (problem: string) => HearthError;
}

function checkOrder(choose: ChooseRows, { n }: MatrixRows, { sizes, fail }: OrderContext): ReturnType<ChooseRows> {
  const order = choose(n, sizes);
  if (Number.isInteger(order.n) && order.n >= 1 && order.at(order.n - 1) < n) return order;
  throw fail(`has ${n} rows, which does not fit the heads of the model`);
}

/** Patterns name ends of modules. Rank-stabilized LoRA (arXiv 2312.03732) divides by the root of the rank. */
function scaleOf(config: Config, module: string, rank: number): number {
  const patterns = config.object("alpha_pattern");
  const own = Object.keys(patterns?.values ?? {}).find((key) => module === key || module.endsWith(`.${key}`));
  const alpha = own === undefined ? config.requireNumber("lora_alpha") : (patterns?.requireNumber(own) ?? 0);
  return alpha / (config.boolean("use_rslora") ? Math.sqrt(rank) : rank);
}

function scaled(rows: MatrixRows, factor: number): MatrixRows {
  return encodeRows(rows, "F32", (weights, target) => {
    target.set(new Uint8Array(weights.map((weight) => weight * factor).buffer));
  });
}
