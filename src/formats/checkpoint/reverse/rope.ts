/** The words of config.json for the rotation that a GGUF file describes. */
import type { GgufFile } from "../../gguf/types.ts";
import type { ReadKey, Sizes } from "../family.ts";
import { unsupported } from "../json.ts";

export interface RopeFacts {
  readonly file: GgufFile;
  readonly architecture: string;
  readonly read: ReadKey;
  readonly sizes: Sizes;
  readonly factors: (name: string) => Float32Array | undefined;
}

type Settings = Readonly<Record<string, unknown>>;

export function restoreRope(facts: RopeFacts): Settings {
  const { read, sizes, architecture } = facts;
  const dimensions = numberAt(read, "rope.dimension_count") ?? sizes.headWidth;
  const theta = numberAt(read, "rope.freq_base") ?? 10_000;
  const local = numberAt(read, "rope.freq_base_swa");
  const partial = dimensions === sizes.headWidth ? {} : { partial_rotary_factor: dimensions / sizes.headWidth };
  const scaling = restoreScaling(facts, { theta, dimensions });
  if (local !== undefined || architecture === "gemma3") {
    return {
      rope_theta: theta,
      rope_local_base_freq: local ?? 10_000,
      rope_parameters: {
        full_attention: { rope_type: "default", ...scaling, rope_theta: theta },
        sliding_attention: { rope_type: "default", rope_theta: local ?? 10_000 },
      },
    };
  }
  const original = scaling?.["original_max_position_embeddings"];
  return {
    rope_theta: theta,
    ...partial,
    ...(scaling && { rope_scaling: scaling }),
    rope_parameters: { rope_type: "default", ...scaling, rope_theta: theta, ...partial },
    ...(original !== undefined && { original_max_position_embeddings: original }),
  };
}

function numberAt(read: ReadKey, key: string): number | undefined {
  const value = read(key);
  return typeof value === "number" ? value : undefined;
}

interface Rotation {
  readonly theta: number;
  readonly dimensions: number;
}

function restoreScaling(facts: RopeFacts, rotation: Rotation): Settings | undefined {
  const { read, factors } = facts;
  const long = factors("rope_factors_long.weight");
  const short = factors("rope_factors_short.weight");
  const original = numberAt(read, "rope.scaling.original_context_length");
  const attention = numberAt(read, "rope.scaling.attn_factor");
  if (long && short) {
    return {
      rope_type: "longrope",
      long_factor: [...long],
      short_factor: [...short],
      original_max_position_embeddings: original,
      ...(attention !== undefined && { attention_factor: attention }),
    };
  }
  const single = factors("rope_freqs.weight");
  if (single) return llama3(single, rotation);
  const factor = numberAt(read, "rope.scaling.factor");
  const kind = read("rope.scaling.type");
  if (kind === "none" || factor === undefined || factor === 0) return undefined;
  if (kind !== "yarn") return { rope_type: "linear", factor };
  const magnitude = factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
  const [fast, slow] = [numberAt(read, "rope.scaling.yarn_beta_fast"), numberAt(read, "rope.scaling.yarn_beta_slow")];
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: original ?? read("context_length"),
    ...(attention !== undefined && { attention_factor: attention * magnitude }),
    ...(fast !== undefined && { beta_fast: fast }),
    ...(slow !== undefined && { beta_slow: slow }),
  };
}

/** GGUF has only the divisors. All models have 1 and 4 as bounds; the original length then follows from the blend. */
function llama3(divisors: Float32Array, { theta, dimensions }: Rotation): Settings {
  const [low, high] = [1, 4];
  const factor = divisors.reduce((most, value) => Math.max(most, value), 1);
  const between = [...divisors.entries()].filter(([, value]) => value > 1.001 && value < factor * 0.999);
  const lengths = between.map(([index, value]) => {
    const share = (1 / value - 1 / factor) / (1 - 1 / factor);
    const frequency = theta ** -((2 * index) / dimensions);
    return ((share * (high - low) + low) * 2 * Math.PI) / frequency;
  });
  const [length = 8192] = lengths;
  const original = Math.round(length);
  if (lengths.some((other) => Math.abs(other / length - 1) > 0.01)) {
    throw unsupported("The file", "rope_freqs.weight", "has divisors that are not those of Llama 3");
  }
  return {
    rope_type: "llama3",
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: original,
  };
}
