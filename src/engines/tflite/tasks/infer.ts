/** Tensors in and out of any model. */
import type { Tensor, TensorInfo } from "../../../spec/media.ts";
import { chooseOutputs } from "../../media/outputs.ts";
import type { RunTask } from "../context.ts";
import type { TfliteSession, Tensors } from "../session.ts";
import { toCodes, unsuitable } from "../values.ts";

/** Inputs of quantized models may come as values too: they become codes. Outputs are codes; the signature has their scales. */
export function inferWith(session: TfliteSession): RunTask<"infer"> {
  return async ({ inputs, signature, outputs: wanted }) => {
    const { signatures } = session;
    if (signature !== undefined && !signatures.has(signature)) {
      const known = signatures.size > 0 ? `it has ${[...signatures.keys()].join(", ")}` : "it has none";
      throw unsuitable(`The model has no signature "${signature}"; ${known}.`, "signature");
    }
    const ports = signatures.get(signature ?? "") ?? session.signature;
    const names = wanted && chooseOutputs(wanted, ports.outputs);
    // LiteRT computes them all.
    const outputs = Object.entries(await session.run(checkInputs(inputs, ports.inputs), signature));
    return { outputs: Object.fromEntries(outputs.filter(([name]) => names?.includes(name) ?? true)) };
  };
}

function checkInputs(inputs: Tensors, wanted: readonly TensorInfo[]): Tensors {
  const names = wanted.map(({ name }) => name);
  const extra = Object.keys(inputs).find((name) => !names.includes(name));
  if (extra !== undefined) throw refuse(extra, `is no input of the model; its inputs are ${names.join(", ")}`);
  return Object.fromEntries(wanted.map((info) => [info.name, checkInput(info, inputs[info.name])]));
}

function checkInput({ name, type, shape, quantization }: TensorInfo, tensor: Tensor | undefined): Tensor {
  if (!tensor) throw refuse(name, "is missing");
  const { data } = tensor;
  // Sizes that are free are 1: LiteRT.js has no way to change them.
  const sizes = shape.map((size) => (size === -1 ? 1 : Number(size)));
  if (tensor.shape.length !== sizes.length || tensor.shape.some((size, index) => size !== sizes[index])) {
    throw refuse(name, `has the shape [${tensor.shape.join(", ")}]; the model takes [${sizes.join(", ")}]`);
  }
  const count = sizes.reduce((product, size) => product * size, 1);
  if (data.length !== count) throw refuse(name, `has ${data.length} elements; its shape needs ${count}`);
  if (tensor.type === type) return tensor;
  const codes = quantization && data instanceof Float32Array ? toCodes(data, type, quantization) : undefined;
  if (!codes) throw refuse(name, `is ${tensor.type}; the model takes ${type}`);
  return { type, shape: sizes, data: codes };
}

function refuse(name: string, problem: string): Error {
  return unsuitable(`The input "${name}" ${problem}.`, `inputs.${name}`);
}
