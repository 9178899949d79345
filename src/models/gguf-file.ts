/** What file names of GGUF models say by convention: quantization, and the parts of a split model. */

const quantizationPattern =
  /(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_[A-Z]+)*|NVFP4|BF16|F16|FP16|F32|FP32))(?=[-.]|$)/gi;

/** `model.Q4_K_M.gguf` → `Q4_K_M`; the last one that the name holds. */
export function quantizationOf(name: string): string | undefined {
  const stem = (name.split("/").at(-1) ?? name).replace(/\.gguf$/i, "").replace(/-\d{5}-of-\d{5}$/, "");
  return [...stem.matchAll(quantizationPattern)].at(-1)?.[1]?.toUpperCase();
}

export interface SplitName {
  readonly part: number;
  /** Names of all parts, in order. */
  readonly names: readonly string[];
}

/** `x-00001-of-00003.gguf` → all three names; undefined for a whole file. */
export function splitParts(name: string): SplitName | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(name);
  if (!match) return undefined;
  const [, prefix = "", part = "", count = ""] = match;
  const total = Number(count);
  if (total < 2 || total > 500 || Number(part) < 1 || Number(part) > total) return undefined;
  const digits = (value: number): string => String(value).padStart(5, "0");
  const names = Array.from({ length: total }, (_, index) => `${prefix}-${digits(index + 1)}-of-${count}.gguf`);
  return { part: Number(part), names };
}

/** Quantizations from the one most people want to the ones that are too big or too coarse. */
const preference = [
  "Q4_K_M",
  "Q4_0",
  "Q5_K_M",
  "Q8_0",
  "Q4_K_S",
  "IQ4_XS",
  "IQ4_NL",
  "MXFP4",
  "Q5_K_S",
  "Q5_0",
  "Q6_K",
  "Q4_1",
  "Q5_1",
  "Q3_K_M",
  "Q3_K_L",
  "IQ3_M",
  "Q3_K_S",
  "Q2_K",
  "IQ2_M",
  "IQ2_XXS",
  "F16",
  "FP16",
  "BF16",
  "F32",
  "FP32",
];

/** Lower is better. */
export function quantizationRank(name: string): number {
  const found = preference.indexOf(quantizationOf(name)?.replace(/^UD-/, "") ?? "");
  return found < 0 ? preference.length : found;
}

/** Files that are GGUF but no language model of their own: projectors, importance matrices, draft heads. */
export function isSideFile(name: string): boolean {
  return /(^|[-._/])(mmproj|imatrix)/i.test(name);
}

/** Types of projectors from the one that loses nothing worth its size to others. */
const projectorTypes = ["F16", "BF16", "Q8_0", "F32"];

/** Of the names in the folder of a model, the projector that goes with it: the one in F16, where there are several. */
export function chooseProjector(names: readonly string[]): string | undefined {
  const rank = (name: string): number => {
    const found = projectorTypes.indexOf(quantizationOf(name)?.replace(/^FP/, "F") ?? "");
    return found < 0 ? projectorTypes.length : found;
  };
  const projectors = names.filter((name) => /(^|[-._/])mmproj[^/]*\.gguf$/i.test(name));
  return projectors.toSorted((a, b) => rank(a) - rank(b) || a.length - b.length)[0];
}

/** Whether all these files are one model in different quantizations, or parts of it. */
export function isOneModel(names: readonly string[]): boolean {
  const stems = names.map((name) =>
    name
      .toLowerCase()
      .replace(/(-\d{5}-of-\d{5})?\.gguf$/, "")
      .replace((quantizationOf(name) ?? "\0").toLowerCase(), ""),
  );
  return new Set(stems).size === 1;
}
