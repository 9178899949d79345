/**
 * Which type each tensor gets. A mix gives most matrices its base type and more bits to those that quantization hurts
 * most: values of attention, the second matrix of feed-forward blocks in some layers, the output. The rules are those of
 * llama.cpp's files of the same names, so that sizes and types are what people know by them.
 */
import type { WritableType } from "../../engines/flint/weights/quantize/machine.ts";

export const mixNames = [
  "f32",
  "f16",
  "bf16",
  "q8_0",
  "q6_k",
  "q5_k_m",
  "q5_k_s",
  "q5_1",
  "q5_0",
  "q4_k_m",
  "q4_k_s",
  "q4_1",
  "q4_0",
  "iq4_nl",
  "iq4_xs",
  "q3_k_l",
  "q3_k_m",
  "q3_k_s",
  "q2_k",
] as const;
export type MixName = (typeof mixNames)[number];

/** The part of a model that a matrix has. Fused q, k and v count as values. */
export type Part = "output" | "embedding" | "value" | "key" | "attention" | "down" | "other";

/** What rules look at. */
export interface Place {
  readonly part: Part;
  /** Which of the value or down matrices it is, from 0; and how many value matrices or layers there are. */
  readonly index: number;
  readonly count: number;
  readonly model: ModelFacts;
}

export interface ModelFacts {
  readonly architecture: string;
  readonly layers: number;
  /** Query heads for each key head. */
  readonly sharing: number;
  /** Experts, at least 1. */
  readonly experts: number;
  readonly importance: boolean;
}

type When = (place: Place) => boolean;
type Rule = readonly [to: WritableType, when?: When];

interface Mix {
  /** Number in `general.file_type`. */
  readonly fileType: number;
  readonly base: WritableType;
  /** The first rule that holds; none: the base type. */
  readonly value?: readonly Rule[];
  readonly down?: readonly Rule[];
  readonly attention?: readonly Rule[];
}

const isFalcon: When = ({ model }) => model.architecture === "falcon";
const notFalcon: When = (place) => !isFalcon(place);
const shared: When = ({ model }) => model.sharing >= 4;
const eightExperts: When = ({ model }) => model.experts === 8;
/** The first and last eighth of the layers, and every third between. */
const spread: When = ({ index, count }) => {
  const eighth = Math.floor(count / 8);
  return index < eighth || index >= Math.floor((7 * count) / 8) || (index - eighth) % 3 === 2;
};
const before =
  (part: number): When =>
  ({ index, count }) =>
    index < Math.floor(count / part);
const and =
  (...all: readonly When[]): When =>
  (place) =>
    all.every((when) => when(place));
const withImportance: When = ({ model }) => model.importance;
const withoutImportance: When = ({ model }) => !model.importance;

const moreForExperts: Rule = ["Q5_K", and(eightExperts, notFalcon)];
const nonLinearParts = {
  value: [["Q5_K", shared]],
  down: [["Q5_K", and(before(8), withoutImportance)]],
  attention: [moreForExperts],
} as const satisfies Partial<Mix>;

export const mixes: Readonly<Record<MixName, Mix>> = {
  f32: { fileType: 0, base: "F32" },
  f16: { fileType: 1, base: "F16" },
  bf16: { fileType: 32, base: "BF16" },
  q8_0: { fileType: 7, base: "Q8_0" },
  q6_k: { fileType: 18, base: "Q6_K" },
  q5_k_m: { fileType: 17, base: "Q5_K", value: [["Q6_K", spread]], down: [["Q6_K", spread]] },
  q5_k_s: { fileType: 16, base: "Q5_K" },
  q5_1: { fileType: 9, base: "Q5_1" },
  q5_0: { fileType: 8, base: "Q5_0", down: [["Q5_1", and(withImportance, before(8))]] },
  q4_k_m: {
    fileType: 15,
    base: "Q4_K",
    value: [["Q6_K", spread]],
    down: [
      ["Q6_K", and(isFalcon, before(16))],
      ["Q5_K", and(isFalcon, spread)],
      ["Q6_K", and(notFalcon, spread)],
    ],
    attention: [moreForExperts],
  },
  q4_k_s: {
    fileType: 14,
    base: "Q4_K",
    value: [["Q5_K", ({ index }) => index < 4]],
    down: [["Q5_K", and(notFalcon, before(8))]],
    attention: [moreForExperts],
  },
  q4_1: { fileType: 3, base: "Q4_1" },
  q4_0: { fileType: 2, base: "Q4_0", down: [["Q4_1", and(withImportance, before(8))]] },
  iq4_nl: { fileType: 25, base: "IQ4_NL", ...nonLinearParts },
  iq4_xs: { fileType: 30, base: "IQ4_XS", ...nonLinearParts },
  q3_k_l: {
    fileType: 13,
    base: "Q3_K",
    value: [["Q5_K"]],
    down: [["Q4_K", isFalcon], ["Q5_K"]],
    attention: [
      ["Q4_K", isFalcon],
      ["Q5_K", (place) => !eightExperts(place)],
    ],
  },
  q3_k_m: {
    fileType: 12,
    base: "Q3_K",
    value: [["Q5_K", ({ index }) => index < 2], ["Q4_K"]],
    down: [
      ["Q5_K", before(16)],
      ["Q4_K", (place) => notFalcon(place) || spread(place)],
    ],
    attention: [moreForExperts, ["Q4_K", notFalcon]],
  },
  q3_k_s: { fileType: 11, base: "Q3_K", attention: [moreForExperts] },
  q2_k: {
    fileType: 10,
    base: "Q2_K",
    value: [["Q4_K", shared], ["Q3_K"]],
    down: [["Q3_K"]],
    attention: [moreForExperts, ["Q3_K", notFalcon]],
  },
};

/** Whether the model is one of 70 B parameters whose value matrices are an eighth of the others. */
function hasSmallValues({ architecture, layers, sharing }: ModelFacts): boolean {
  if (architecture === "llama") return layers === 80 && sharing > 1;
  return layers === 80 && ["qwen2", "deci", "olmo"].includes(architecture);
}

/** The type that a mix wants for a matrix, before its shape is looked at. `blocks`: whether rows are whole blocks of the base type. */
export function wantedType(name: MixName, place: Place, blocks: boolean): WritableType {
  const mix = mixes[name];
  if (isFloat(mix.base)) return mix.base;
  const choose = (rules: readonly Rule[] = []): WritableType =>
    rules.find(([, when]) => when?.(place) ?? true)?.[0] ?? mix.base;
  const { part, model } = place;
  switch (part) {
    case "output":
      if (mix.base === "Q8_0" || isFalcon(place) || !blocks) return "Q8_0";
      return "Q6_K";
    case "value": {
      if (model.experts === 8) return "Q8_0";
      const chosen = choose(mix.value);
      return hasSmallValues(model) && (chosen === "Q3_K" || chosen === "Q4_K") ? "Q5_K" : chosen;
    }
    case "key":
      return model.experts === 8 ? "Q8_0" : mix.base;
    case "down":
      return choose(mix.down);
    case "attention":
      return choose(mix.attention);
    case "embedding":
    case "other":
      return mix.base;
  }
}

export function isFloat(type: WritableType): type is "F32" | "F16" | "BF16" {
  return type === "F32" || type === "F16" || type === "BF16";
}
