/** How a checkpoint says that its weights are codes: the words of AutoGPTQ and GPTQModel, and of AutoAWQ. */
import { damp } from "./gptq.ts";
import type { PackedFormat } from "./pack.ts";

export interface CodedSettings {
  readonly format: PackedFormat;
  readonly bits: number;
  readonly group: number;
  readonly symmetric: boolean;
  readonly ordered: boolean;
}

export function quantizationConfig(settings: CodedSettings): Readonly<Record<string, unknown>> {
  const { format, bits, group, ordered, symmetric } = settings;
  if (format === "awq") {
    return { quant_method: "awq", version: "gemm", bits, group_size: group, zero_point: true };
  }
  return {
    quant_method: "gptq",
    checkpoint_format: "gptq",
    pack_dtype: "int32",
    bits,
    group_size: group,
    desc_act: ordered,
    static_groups: false,
    sym: symmetric,
    lm_head: false,
    true_sequential: true,
    damp_percent: damp,
    meta: { quantizer: ["hearth"] },
  };
}
