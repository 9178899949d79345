import type { Port } from "../../engines/onnx/session.ts";
import type { OnnxGraph } from "../../formats/onnx/types.ts";

/** What a caller gives to a model: inputs without those that have a default. */
export function inputPorts({ inputs, initializers }: OnnxGraph): readonly Port[] {
  return inputs
    .filter(({ name }) => !initializers.has(name))
    .map(({ name, type }) =>
      type?.kind === "tensor"
        ? { name, type: type.element, shape: type.shape ?? [] }
        : { name, type: undefined, shape: [] },
    );
}
