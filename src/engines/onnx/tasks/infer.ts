/** Tensors in and out of any model. */
import { HearthError } from "../../../error.ts";
import type { Tensor } from "../../../spec/media.ts";
import { chooseOutputs } from "../../media/outputs.ts";
import type { RunTask } from "../context.ts";
import type { OnnxSession, Port } from "../session.ts";

export function inferWith(session: () => Promise<OnnxSession>): RunTask<"infer"> {
  return async ({ inputs, signature, outputs: wanted }) => {
    if (signature !== undefined) {
      throw new HearthError("unsupported_option", "ONNX models have no signatures.", {
        details: { field: "signature" },
      });
    }
    const opened = await session();
    const known = new Map(opened.inputs.map((port) => [port.name, port] as const));
    for (const [name, tensor] of Object.entries(inputs)) checkInput(name, tensor, known);
    const missing = [...known.keys()].filter((name) => !Object.hasOwn(inputs, name));
    if (missing.length > 0)
      throw refuse(missing[0] ?? "", `is missing; the inputs are ${[...known.keys()].join(", ")}`);
    return { outputs: await opened.infer(inputs, wanted && chooseOutputs(wanted, opened.outputs)) };
  };
}

function checkInput(name: string, tensor: Tensor, known: ReadonlyMap<string, Port>): void {
  const port = known.get(name);
  if (!port) throw refuse(name, `is no input of the model; its inputs are ${[...known.keys()].join(", ")}`);
  if (port.type !== undefined && port.type !== tensor.type) {
    throw refuse(name, `is ${tensor.type}; the model takes ${port.type}`);
  }
  const { shape, data } = tensor;
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0))
    throw refuse(name, `has the shape [${shape.join(", ")}]`);
  const count = shape.reduce((product, size) => product * size, 1);
  if (data.length !== count)
    throw refuse(name, `has ${data.length} elements; its shape [${shape.join(", ")}] needs ${count}`);
  const fits =
    port.shape.length === shape.length &&
    port.shape.every((size, index) => typeof size !== "number" || size === shape[index]);
  if (port.type !== undefined && !fits) {
    const wanted = port.shape.map((size) => size ?? "?").join(", ");
    throw refuse(name, `has the shape [${shape.join(", ")}]; the model takes [${wanted}]`);
  }
}

function refuse(name: string, problem: string): HearthError {
  return new HearthError("bad_request", `The input "${name}" ${problem}.`, { details: { field: `inputs.${name}` } });
}
