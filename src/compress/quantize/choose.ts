/** From the header of a model to the type of each of its tensors. */
import { HearthError } from "../../error.ts";
import { ggmlType } from "../../formats/gguf/ggml.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import { integersOf, stringOf } from "../../formats/gguf/check.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { WritableType } from "../../engines/flint/weights/quantize/machine.ts";
import { mixes, wantedType } from "./mixes.ts";
import type { MixName, ModelFacts, Part } from "./mixes.ts";

/** Tensors whose name has this pattern in it get this type. */
export interface TensorRule {
  readonly pattern: RegExp;
  readonly type: WritableType;
}

export interface Choice {
  readonly tensor: GgufTensor;
  readonly to: GgmlTypeName;
  /** What was wanted, where rows of the tensor are not whole blocks of that. */
  readonly instead?: WritableType;
}

export interface ChooseOptions {
  readonly mix: MixName;
  readonly rules: readonly TensorRule[];
  readonly importance: boolean;
}

/** Matrices that are small and that quantization hurts: routers, convolutions, tables of positions … */
const kept: readonly RegExp[] = [
  /_norm\.weight$/,
  /ffn_gate_inp\.weight/,
  /ffn_gate_tid2eid\.weight/,
  /altup|laurel|per_layer_model_proj/,
  /^(?:position_embd|token_types)\.weight$/,
  /ssm_conv1d|shortconv\.conv\.weight/,
  /indexer\.[kq]_proj\.weight/,
  /time_mix_(?:first|w[012]|v[012]|a[012]|g[12]|decay_w[12]|lerp_fused)\.weight/,
  /attn_rel_b\.weight/,
  /\.position_embd|sam\.(?:pos_embd|neck\.|net_)|\.rel_pos|\.patch_embd|\.patch_merger/,
  /a\.rvq\.codebook|mm\.a\.code_embd/,
];

export function isQuantizable({ name, shape }: GgufTensor): boolean {
  const isMatrix = shape.findLastIndex((size) => size > 1) >= 1;
  return isMatrix && name.endsWith("weight") && !kept.some((pattern) => pattern.test(name));
}

/** In the order of the header. Throws `bad_request` for a rule that no tensor follows. */
export function chooseTypes(file: GgufFile, options: ChooseOptions): Choice[] {
  const places = placesOf(file);
  const facts = { ...factsOf(file), importance: options.importance };
  const used = new Set<TensorRule>();
  const choices = file.tensors.map((tensor): Choice => {
    const place = places.get(tensor.name);
    if (!place) return { tensor, to: tensor.typeName };
    const rule = options.rules.find(({ pattern }) => pattern.test(tensor.name));
    if (rule) used.add(rule);
    const k = tensor.shape[0] ?? 0;
    const blocks = k % ggmlType(mixes[options.mix].base).blockSize === 0;
    const wanted = rule?.type ?? wantedType(options.mix, { ...place, model: facts }, blocks);
    const to = fitting(wanted, k);
    return { tensor, to, ...(to !== wanted && { instead: wanted }) };
  });
  const unused = options.rules.find((rule) => !used.has(rule));
  if (unused) throw noTensor(unused, [...places.keys()]);
  return choices;
}

function noTensor({ pattern }: TensorRule, names: readonly string[]): HearthError {
  const some = names.slice(0, 8).map((name) => printable(name));
  return new HearthError("bad_request", `No tensor that can be quantized has "${pattern.source}" in its name.`, {
    hint: `Their names are like ${some.join(", ")}.`,
  });
}

const smaller: Readonly<Partial<Record<WritableType, WritableType>>> = {
  IQ4_XS: "IQ4_NL",
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
};

/** The type itself, one with smaller blocks, or F16 for rows that are whole blocks of neither. */
function fitting(wanted: WritableType, k: number): WritableType {
  const fits = (type: WritableType): boolean => k % ggmlType(type).blockSize === 0;
  if (fits(wanted)) return wanted;
  const other = smaller[wanted] ?? wanted;
  return fits(other) ? other : "F16";
}

interface NumberedPart {
  readonly part: Part;
  readonly index: number;
  readonly count: number;
}

/** The tensors that are quantized, each with its part. Value and down matrices are numbered from the first layer on. */
function placesOf(file: GgufFile): Map<string, NumberedPart> {
  const { layers, experts } = factsOf(file);
  const tied = !file.tensors.some(({ name }) => name === "output.weight");
  const sorted = file.tensors.toSorted((a, b) => layerOf(a.name) - layerOf(b.name) || compare(a.name, b.name));
  const values = sorted.filter(({ name }) => partOf(name, tied) === "value").length;
  const next = { value: 0, down: 0 };
  const places = new Map<string, NumberedPart>();
  for (const tensor of sorted.filter(isQuantizable)) {
    const part = partOf(tensor.name, tied);
    if (part === "value") places.set(tensor.name, { part, index: next.value++, count: values });
    else if (part === "down") {
      // Matrices of experts may stand in any order.
      const index = experts > 1 ? layerOf(tensor.name) : next.down;
      next.down++;
      places.set(tensor.name, { part, index, count: layers });
    } else places.set(tensor.name, { part, index: 0, count: 0 });
  }
  return places;
}

const parts: readonly (readonly [RegExp, Part])[] = [
  [/attn_(?:qkv|kv_b|v)\.weight/, "value"],
  [/attn_k\.weight/, "key"],
  [/attn_q\.weight/, "other"],
  [/attn_output\.weight/, "attention"],
  [/ffn_(?:up|gate)/, "other"],
  [/ffn_down/, "down"],
];

function partOf(name: string, tied: boolean): Part {
  if (name === "output.weight") return "output";
  if (name === "token_embd.weight" || name === "per_layer_token_embd.weight") return tied ? "output" : "embedding";
  return parts.find(([pattern]) => pattern.test(name))?.[1] ?? "other";
}

/** -1: it is in no layer. */
function layerOf(name: string): number {
  return Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const any = [0, 2 ** 31] as const;

function factsOf(file: GgufFile): Omit<ModelFacts, "importance"> {
  const architecture = stringOf(file, "general.architecture") ?? "";
  const first = (name: string): number | undefined => {
    const value = integersOf(file, `${architecture}.${name}`, any);
    return typeof value === "number" ? value : value?.[0];
  };
  const heads = first("attention.head_count") ?? 0;
  const keyHeads = first("attention.head_count_kv") ?? heads;
  return {
    architecture,
    layers: first("block_count") ?? 0,
    sharing: keyHeads === 0 ? 0 : Math.floor(heads / keyHeads),
    experts: Math.max(1, first("expert_count") ?? 1),
  };
}

/** Whether the weights of a type have been rounded to codes already. */
export function isQuantized(type: GgmlTypeName): boolean {
  return ggmlType(type).blockSize > 1;
}
