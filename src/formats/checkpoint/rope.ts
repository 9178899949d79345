import type { Config } from "./config.ts";
import { createConfig } from "./config.ts";
import { float, text, uint } from "./family.ts";
import type { Family, Keys } from "./family.ts";
import { isObject, malformed, unsupported } from "./json.ts";

export interface RopeSource {
  readonly config: Config;
  readonly family: Family;
  readonly headWidth: number;
  readonly contextLength: number;
}

export interface Rope {
  readonly keys: Keys;
  /** Tensors of GGUF with divisors of the frequencies, by name. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/**
 * How positions turn into angles, whether the file has `rope_parameters` (also by kind of layer) or `rope_theta` and
 * `rope_scaling`. Throws `model_unsupported` for a scaling that the graph of the family does not know.
 */
export function readRope(source: RopeSource): Rope {
  const { config, headWidth } = source;
  const { full, local } = layers(config);
  const dimensions = Math.floor(headWidth * (partial(full) ?? partial(config) ?? 1));
  const localBase = local?.number("rope_theta") ?? config.number("rope_local_base_freq", "local_rope_theta");
  const tensors = new Map<string, Float32Array>();
  const scaling = readScaling(full, { ...source, dimensions, tensors });
  const keys = {
    "rope.dimension_count": uint(dimensions),
    "rope.freq_base": float(base(full) ?? base(config) ?? 10_000),
    ...(localBase !== undefined && { "rope.freq_base_swa": float(localBase) }),
    ...scaling,
  };
  return { keys, tensors };
}

/** Parameters of layers that see all tokens, and of those with a window where they have their own. */
function layers(config: Config): { readonly full: Config; readonly local: Config | undefined } {
  const parameters = config.object("rope_parameters", "rope_scaling");
  if (!parameters) return { full: createConfig({}, config.name), local: undefined };
  const full = parameters.object("full_attention");
  if (full) return { full, local: parameters.object("sliding_attention") };
  // Nested by kinds of layers that we do not know.
  const [other] = Object.entries(parameters.values).filter(([, value]) => isObject(value));
  if (other) throw unsupported(config.name, `rope_parameters.${other[0]}`, "is for a kind of layers that is not known");
  return { full: parameters, local: undefined };
}

function partial(config: Config): number | undefined {
  const factor = config.number("partial_rotary_factor", "rope_pct");
  if (factor === undefined || (factor > 0 && factor <= 1)) return factor;
  throw malformed(config.name, "partial_rotary_factor", `is ${factor}; it must be more than 0 and at most 1`);
}

function base(config: Config): number | undefined {
  return config.number("rope_theta", "global_rope_theta", "rotary_emb_base");
}

interface ScalingSource extends RopeSource {
  readonly dimensions: number;
  readonly tensors: Map<string, Float32Array>;
}

function readScaling(scaling: Config, source: ScalingSource): Keys {
  const { config, family } = source;
  const kind = scaling.text("rope_type", "type") ?? "default";
  const unknown = () => unsupported(config.name, "rope_scaling", `is of the kind "${kind}", which is not known here`);
  switch (kind) {
    case "default":
    case "none":
    // It changes nothing up to the length of the training, and that is all that we let a model have.
    case "dynamic":
      return {};
    case "linear":
      return { "rope.scaling.type": text("linear"), "rope.scaling.factor": float(factorOf(scaling)) };
    case "yarn":
      return yarn(scaling, source);
    case "llama3":
      if (!family.ropeFactors) throw unknown();
      source.tensors.set("rope_freqs.weight", llama3Factors(scaling, source));
      return {};
    case "longrope":
    case "su":
      if (!family.ropeFactors) throw unknown();
      return longRope(scaling, source);
    default:
      throw unknown();
  }
}

function factorOf(scaling: Config): number {
  const factor = scaling.requireNumber("factor");
  if (factor > 0) return factor;
  throw malformed(scaling.name, "rope_scaling.factor", `is ${factor}; it must be more than 0`);
}

function originalContext(scaling: Config, { config, contextLength }: RopeSource): number {
  const name = "original_max_position_embeddings";
  return scaling.integer(name) ?? config.integer(name) ?? contextLength;
}

/** Magnitude of queries and keys together, section 3.4 of arXiv 2309.00071. */
function yarnMagnitude(factor: number, scale = 1): number {
  return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
}

function yarn(scaling: Config, source: ScalingSource): Keys {
  const factor = factorOf(scaling);
  if (scaling.boolean("truncate") === false) {
    throw unsupported(source.config.name, "rope_scaling.truncate", "is false, which is not known here");
  }
  const [one, all] = [scaling.number("mscale"), scaling.number("mscale_all_dim")];
  const byScales = one && all ? yarnMagnitude(factor, one) / yarnMagnitude(factor, all) : yarnMagnitude(factor);
  // Engines multiply by what the paper says already.
  const attention = (scaling.number("attention_factor") ?? byScales) / yarnMagnitude(factor);
  const [fast, slow] = [scaling.number("beta_fast"), scaling.number("beta_slow")];
  return {
    "rope.scaling.type": text("yarn"),
    "rope.scaling.factor": float(factor),
    "rope.scaling.original_context_length": uint(originalContext(scaling, source)),
    ...(Math.abs(attention - 1) > 1e-6 && { "rope.scaling.attn_factor": float(attention) }),
    ...(fast !== undefined && { "rope.scaling.yarn_beta_fast": float(fast) }),
    ...(slow !== undefined && { "rope.scaling.yarn_beta_slow": float(slow) }),
  };
}

function longRope(scaling: Config, source: ScalingSource): Keys {
  const { contextLength, dimensions, tensors } = source;
  const original = originalContext(scaling, source);
  const factor = contextLength / original;
  const byLength = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  for (const kind of ["long", "short"]) {
    tensors.set(`rope_factors_${kind}.weight`, readFactors(scaling, `${kind}_factor`, dimensions / 2));
  }
  return {
    "rope.scaling.original_context_length": uint(original),
    "rope.scaling.attn_factor": float(scaling.number("attention_factor") ?? byLength),
  };
}

function readFactors(scaling: Config, name: string, length: number): Float32Array {
  const values = scaling.get(name);
  if (Array.isArray(values) && values.length === length && values.every((value) => typeof value === "number")) {
    return Float32Array.from(values);
  }
  throw malformed(scaling.name, `rope_scaling.${name}`, `must be a list of ${length} numbers`);
}

/** What to divide each frequency by: 1 for short waves, the whole factor for long ones, a blend between (Llama 3.1). */
function llama3Factors(scaling: Config, source: ScalingSource): Float32Array {
  const theta = base(scaling) ?? base(source.config) ?? 10_000;
  const factor = factorOf(scaling);
  const low = scaling.requireNumber("low_freq_factor");
  const high = scaling.requireNumber("high_freq_factor");
  const original = originalContext(scaling, source);
  return Float32Array.from({ length: source.dimensions / 2 }, (_, index) => {
    const frequency = theta ** -((2 * index) / source.dimensions);
    const turns = (original * frequency) / (2 * Math.PI);
    const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return 1 / ((1 - share) / factor + share);
  });
}
