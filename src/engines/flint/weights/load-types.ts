/** What flint asks of a checkpoint: types that its unquantized matrices get (`LoadOptions.quantize`), columns in any order. */
import type { Recoding, WeightOptions } from "../../../formats/checkpoint/weights.ts";
import type { NamedTensor } from "../../../formats/checkpoint/tensors.ts";
import type { LoadOptions } from "../../../spec/engine.ts";
import { createQuantizeMachine } from "./quantize/machine.ts";
import type { QuantizeMachine } from "./quantize/machine.ts";
import type { QuantizedType } from "./quantize/recipe.ts";

type Quantize = NonNullable<LoadOptions["quantize"]>;

/** What `openCheckpoint` asks. The machine is made when the first rows are read: a header needs none. */
export function loadTypes(quantize: Quantize | undefined): WeightOptions {
  // `Matrix.columns`: quantized matrices keep their codes.
  const reorder = true;
  if (quantize === undefined) return { reorder };
  let machine: QuantizeMachine | undefined;
  return {
    reorder,
    recode(tensor, tied): Recoding | undefined {
      const type = typeOf(tensor, quantize, tied);
      if (!type) return undefined;
      return {
        type,
        encode(weights, target) {
          if (machine === undefined || machine.capacity < weights.length)
            machine = createQuantizeMachine(weights.length);
          machine.weights.set(weights);
          machine.write({ type, k: tensor.rows.k }, weights.length, target);
        },
      };
    },
  };
}

/** The logits are made by the output matrix alone: it keeps more bits, as in llama.cpp's files of these types. */
function typeOf({ name, rows: { k } }: NamedTensor, quantize: Quantize, tied: boolean): QuantizedType | undefined {
  if (k % 32 !== 0) return undefined;
  if (quantize === "q8") return "Q8_0";
  const isOutput = name === "output.weight" || (tied && name === "token_embd.weight");
  if (!isOutput) return "Q4_0";
  return k % 256 === 0 ? "Q6_K" : "Q8_0";
}
