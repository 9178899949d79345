import { failKey, integerOf, integersOf, numberOf, stringOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { RopeOptions, Vector } from "../graph/graph.ts";
import type { Tensors } from "./tensors.ts";

export interface RopeSource {
  readonly file: GgufFile;
  readonly architecture: string;
  readonly tensors: Tensors;
  readonly headWidth: number;
  readonly pairing: RopeOptions["pairing"];
  /** Tokens of one sequence that the model is loaded for; LongRoPE chooses its factors by them. */
  readonly contextTokens: number;
  readonly trainContextTokens: number;
  /** Divisors of the frequencies that the family keeps in tensors: `rope_freqs` (llama3), `rope_factors_*` (longrope). */
  readonly hasFactors: boolean;
  /** Pairs are divided among the directions of a place. */
  readonly hasSections: boolean;
}

const positive = [0, 3.4e38] as const;
const any = [0, 2 ** 31] as const;

/**
 * How positions turn into angles: keys `<architecture>.rope.*`, with the defaults of llama.cpp. Scaling: linear
 * (arXiv 2306.15595), YaRN (arXiv 2309.00071), that of Llama 3, LongRoPE (arXiv 2402.13753).
 */
export function readRope(source: RopeSource): RopeOptions {
  const { file, architecture, pairing } = source;
  const key = (name: string): string => `${architecture}.rope.${name}`;
  const scaling = stringOf(file, key("scaling.type")) ?? "linear";
  const factor = scaling === "none" ? 1 : readFactor(file, key);
  const yarn = scaling === "yarn" ? readYarn(source, factor) : undefined;
  const magnitude = (numberOf(file, key("scaling.attn_factor"), positive) ?? 1) * (yarn ? yarnMagnitude(factor) : 1);
  const factors = readFactors(source);
  const sections = source.hasSections ? readSections(source) : undefined;
  return {
    dimensions: readDimensions(source),
    pairing,
    base: readBase(file, key("freq_base")) ?? 10_000,
    ...(!yarn && factor !== 1 && { positionScale: 1 / factor }),
    ...(yarn && { yarn }),
    ...(magnitude !== 1 && { magnitude }),
    ...(factors && { factors }),
    ...(sections && { sections }),
  };
}

/** Four numbers of pairs, the last of which is 0. */
function readSections(source: RopeSource): NonNullable<RopeOptions["sections"]> {
  const { file, architecture } = source;
  const key = `${architecture}.rope.dimension_sections`;
  const [time = 0, line = 0, column = 0, ...rest] = toArray(
    integersOf(file, key, any) ?? failKey(file, key, "is missing"),
  );
  const pairs = readDimensions(source) / 2;
  if (time + line + column !== pairs || rest.some((section) => section !== 0)) {
    failKey(file, key, `is ${[time, line, column, ...rest].join(", ")}; it must divide ${pairs} pairs among three`);
  }
  return [time, line, column];
}

function toArray(value: number | readonly number[]): readonly number[] {
  return typeof value === "number" ? [value] : value;
}

export interface LocalRopeSource {
  readonly file: GgufFile;
  readonly architecture: string;
  readonly global: RopeOptions;
  /** Default of the base; without one that of the other layers. */
  readonly base: number | undefined;
}

/** The rope of layers with a sliding window, without scaling. */
export function readLocalRope({ file, architecture, global, base }: LocalRopeSource): RopeOptions {
  const { dimensions, pairing } = global;
  return { dimensions, pairing, base: readBase(file, `${architecture}.rope.freq_base_swa`) ?? base ?? global.base };
}

function readDimensions({ file, architecture, headWidth }: RopeSource): number {
  const key = `${architecture}.rope.dimension_count`;
  const dimensions = integerOf(file, key, any) ?? headWidth;
  if (dimensions < 2 || dimensions % 2 !== 0 || dimensions > headWidth) {
    failKey(file, key, `is ${dimensions}; it must be even and from 2 to the head size of ${headWidth}`);
  }
  return dimensions;
}

function readBase(file: GgufFile, key: string): number | undefined {
  const base = numberOf(file, key, positive);
  if (base !== undefined && base <= 1) failKey(file, key, `is ${base}; it must be more than 1`);
  return base;
}

function readFactor(file: GgufFile, key: (name: string) => string): number {
  const name = file.metadata.has(key("scaling.factor")) ? key("scaling.factor") : key("scale_linear");
  const factor = numberOf(file, name, positive) ?? 0;
  return factor === 0 ? 1 : factor;
}

function readYarn(source: RopeSource, factor: number): NonNullable<RopeOptions["yarn"]> {
  const { file, architecture } = source;
  const key = (name: string): string => `${architecture}.rope.scaling.${name}`;
  return {
    factor,
    trainContext: originalContext(source),
    betaFast: numberOf(file, key("yarn_beta_fast"), positive) ?? 32,
    betaSlow: numberOf(file, key("yarn_beta_slow"), positive) ?? 1,
    extrapolation: numberOf(file, key("yarn_ext_factor"), positive) ?? 1,
  };
}

/** Section 3.4 of the YaRN paper: what the temperature of the attention comes to when queries and keys share it. */
function yarnMagnitude(factor: number): number {
  return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
}

/** Context before it was extended. */
function originalContext({ file, architecture, trainContextTokens }: RopeSource): number {
  const key = `${architecture}.rope.scaling.original_context_length`;
  const original = integerOf(file, key, any) ?? trainContextTokens;
  if (original < 1) failKey(file, key, `is ${original}; it must be at least 1`);
  return original;
}

function readFactors(source: RopeSource): Vector | undefined {
  const { tensors } = source;
  if (!source.hasFactors) return undefined;
  const half = readDimensions(source) / 2;
  if (tensors.has("rope_freqs.weight")) return tensors.vector("rope_freqs.weight", half);
  if (!tensors.has("rope_factors_long.weight") && !tensors.has("rope_factors_short.weight")) return undefined;
  const long = tensors.vector("rope_factors_long.weight", half);
  const short = tensors.vector("rope_factors_short.weight", half);
  return source.contextTokens > originalContext(source) ? long : short;
}
