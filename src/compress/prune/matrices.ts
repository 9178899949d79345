/** The matrices of the layers, whose weights can become zero or be cut. */
import { HearthError } from "../../error.ts";
import { isFloat } from "../../formats/checkpoint/cast.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile, GgufTensor } from "../../formats/gguf/types.ts";
import type { Zeros } from "./contract.ts";

/** Those that multiply activations; routers decide too much with too few weights. */
const pattern = /^blk\.\d+\.(?:attn|ffn)_\w+\.weight$/;
const others = /_norm\.|_gate_inp/;

export function isLayerMatrix({ name, shape }: Pick<GgufTensor, "name" | "shape">): boolean {
  return shape.length >= 2 && pattern.test(name) && !others.test(name);
}

function matricesOf(file: GgufFile): readonly GgufTensor[] {
  const found = file.tensors.filter(isLayerMatrix);
  if (found.length > 0) return found;
  throw new HearthError("model_unsupported", `${file.name} has no matrices of layers that hearth knows.`, {
    hint: "Prune a model of text: GGUF, or a checkpoint with SafeTensors weights.",
  });
}

export function checkFloats(file: GgufFile): void {
  const quantized = matricesOf(file).find(({ typeName }) => !isFloat(typeName));
  if (!quantized) return;
  throw new HearthError(
    "bad_request",
    `${file.name} is quantized: ${printable(quantized.name)} is ${quantized.typeName}.`,
    {
      hint: "Start from F16, BF16 or F32 weights, and quantize what comes out. From these only whole layers can be taken: --layers 25%.",
      details: { field: printable(quantized.name) },
    },
  );
}

export function checkZeros(file: GgufFile, zeros: Zeros): void {
  checkFloats(file);
  if (!("of" in zeros)) {
    if (zeros.part > 0 && zeros.part < 1) return;
    throw new HearthError("bad_request", `A sparsity of ${zeros.part} is not between 0 and 1.`, {
      hint: "Give the part of the weights that becomes zero: --sparsity 0.5.",
    });
  }
  const { keep, of } = zeros;
  if (!Number.isInteger(keep) || !Number.isInteger(of) || keep < 1 || keep >= of) {
    throw new HearthError("bad_request", `The pattern ${keep}:${of} leaves not fewer weights than there are.`, {
      hint: "N:M keeps N of M weights side by side: --pattern 2:4.",
    });
  }
  const odd = matricesOf(file).find(({ shape: [k = 0] }) => k % of !== 0);
  if (!odd) return;
  throw new HearthError(
    "bad_request",
    `The rows of ${printable(odd.name)} have ${odd.shape[0]} weights, which are no whole groups of ${of}.`,
    { hint: "Choose a pattern whose M divides it: --pattern 2:4.", details: { field: printable(odd.name) } },
  );
}
