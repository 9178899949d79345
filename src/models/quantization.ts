import type { GgufFile, GgufTensor } from "../formats/gguf/types.ts";

/** Labels of `general.file_type`, as people know them from file names. */
const labels: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  7: "Q8_0",
  8: "Q5_0",
  9: "Q5_1",
  10: "Q2_K",
  11: "Q3_K_S",
  12: "Q3_K_M",
  13: "Q3_K_L",
  14: "Q4_K_S",
  15: "Q4_K_M",
  16: "Q5_K_S",
  17: "Q5_K_M",
  18: "Q6_K",
  19: "IQ2_XXS",
  20: "IQ2_XS",
  21: "Q2_K_S",
  22: "IQ3_XS",
  23: "IQ3_XXS",
  24: "IQ1_S",
  25: "IQ4_NL",
  26: "IQ3_S",
  27: "IQ3_M",
  28: "IQ2_S",
  29: "IQ2_M",
  30: "IQ4_XS",
  31: "IQ1_M",
  32: "BF16",
  36: "TQ1_0",
  37: "TQ2_0",
  38: "MXFP4",
  39: "NVFP4",
  40: "Q1_0",
  41: "Q2_0",
};

/** This bit says that the type was guessed from the tensors. */
const guessed = 1024;

/** What the file calls its quantization, or else the type that most of its bytes have. */
export function quantizationLabel(gguf: GgufFile, tensors: readonly GgufTensor[]): string {
  const type = gguf.metadata.get("general.file_type");
  const named = typeof type === "number" ? labels[type & ~guessed] : undefined;
  return named ?? commonType(tensors);
}

function commonType(tensors: readonly GgufTensor[]): string {
  const bytes = new Map<string, number>();
  for (const { typeName, sizeBytes } of tensors) bytes.set(typeName, (bytes.get(typeName) ?? 0) + sizeBytes);
  const [most] = [...bytes].sort((left, right) => right[1] - left[1]);
  return most?.[0] ?? "unknown";
}
