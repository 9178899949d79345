/** A fixture's header and its weights as floats. */
import { parseGguf } from "../../../formats/gguf/parse.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { CheckedModel } from "../check.ts";
import { checkModel } from "../check.ts";
import type { Reference, ReferenceOptions } from "../graph/reference.ts";
import { createReference } from "../graph/reference.ts";
import { toFloat32 } from "../weights/codecs/float.ts";

export interface OpenModel {
  readonly file: GgufFile;
  /** Elements of a tensor by name, as floats. */
  readonly weights: (name: string) => Float32Array;
}

export function openModel(bytes: Uint8Array<ArrayBuffer>, name: string): OpenModel {
  const file = parseGguf(bytes, { name });
  const weights = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    const start = file.dataOffset + tensor.offset;
    const values = new Float32Array(tensor.shape.reduce((product, length) => product * length, 1));
    toFloat32(tensor.typeName, bytes.subarray(start, start + tensor.sizeBytes), values);
    weights.set(tensor.name, values);
  }
  return { file, weights: (tensor) => weights.get(tensor) ?? new Float32Array() };
}

export interface OpenReference extends CheckedModel {
  readonly reference: Reference;
}

/** Checks the model and builds its forward pass with the reference graph. `keep`: see `ReferenceOptions`. */
export function openReference(
  { file, weights }: OpenModel,
  contextTokens?: number,
  keep?: ReferenceOptions["keep"],
): OpenReference {
  const checked = checkModel(file, contextTokens);
  const { architecture, hyperparameters } = checked;
  return { ...checked, reference: createReference((graph) => architecture.build(graph, hyperparameters), { weights, keep }) };
}
