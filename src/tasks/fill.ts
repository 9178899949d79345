import type { ModelInfo } from "../spec/model.ts";

/** The marks around a gap, as their models were trained with them. */
export interface FillTokens {
  readonly prefix: string;
  readonly suffix: string;
  /** Absent: the model goes on right after the text before the gap. */
  readonly middle?: string;
  readonly suffixFirst?: true;
}

const families: readonly FillTokens[] = [
  { prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>" },
  { prefix: "<fim_prefix>", suffix: "<fim_suffix>", middle: "<fim_middle>" },
  { prefix: "<fim-prefix>", suffix: "<fim-suffix>", middle: "<fim-middle>" },
  { prefix: "<｜fim▁begin｜>", suffix: "<｜fim▁hole｜>", middle: "<｜fim▁end｜>" },
  { prefix: "▁<PRE>", suffix: "▁<SUF>", middle: "▁<MID>" },
  { prefix: "<PRE>", suffix: "<SUF>", middle: "<MID>" },
  { prefix: "<|code_prefix|>", suffix: "<|code_suffix|>", middle: "<|code_middle|>" },
  { prefix: "<|prefix|>", suffix: "<|suffix|>", middle: "<|middle|>" },
  { prefix: "[PREFIX]", suffix: "[SUFFIX]", suffixFirst: true },
];

/** The marks whose tokens the vocabulary has, or undefined. */
export function fillTokens({ specialTokens }: ModelInfo): FillTokens | undefined {
  const known = new Set(specialTokens);
  return families.find(
    ({ prefix, suffix, middle }) =>
      known.has(prefix) && known.has(suffix) && (middle === undefined || known.has(middle)),
  );
}
