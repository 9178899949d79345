import { HearthError } from "../../error.ts";
import { checkArchitecture, checkProjector } from "./architecture.ts";
import { failKey, stringOf } from "./check.ts";
import type { GgmlTypeName } from "./ggml.ts";
import { kindOf } from "./kind.ts";
import { malformed } from "./malformed.ts";
import type { GgufFile, GgufTensor } from "./types.ts";
import { checkVocabulary } from "./vocabulary.ts";

/**
 * Checks what native code takes for granted, so that no file makes it abort or read beyond its memory: sizes in
 * range, vocabulary arrays of one length, unique tokens, tensors of types that can be computed. Needs the contents
 * of arrays, and for the first part of a split model the tensors of all parts. Throws `model_malformed` with {field, offset}, or `model_unsupported` for a file that is no model.
 */
export function validateForEngine(gguf: GgufFile, tensors: readonly GgufTensor[] = gguf.tensors): void {
  const kind = kindOf(gguf);
  if (kind === "other") throw noModel(gguf, "holds measurements of a model, not a model");
  checkLayout(gguf);
  for (const tensor of gguf.tensors) checkTensorType(gguf, tensor);
  if (kind === "shard") return;
  const architecture = stringOf(gguf, "general.architecture");
  if (architecture === undefined) return failKey(gguf, "general.architecture", "is missing");
  if (!/^[a-z0-9][a-z0-9_.-]{0,63}$/i.test(architecture)) {
    failKey(gguf, "general.architecture", "is not the name of an architecture");
  }
  if (kind === "adapter") return;
  if (kind === "projector") return checkProjector(gguf);
  checkArchitecture(gguf, architecture, tensors);
  checkVocabulary(gguf);
}

function noModel(gguf: GgufFile, what: string): HearthError {
  return new HearthError("model_unsupported", `${gguf.name} ${what}.`, { hint: "Give the file of a model instead." });
}

/** llama.cpp expects the tensors one after the other, with no gap but the padding. */
function checkLayout(gguf: GgufFile): void {
  let expected = 0;
  for (const tensor of gguf.allTensors ?? gguf.tensors) {
    if (tensor.offset !== expected) {
      failTensor(gguf, tensor, `has data at ${tensor.offset}; in the order of the table it must be at ${expected}`);
    }
    expected = Math.ceil((expected + tensor.sizeBytes) / gguf.alignment) * gguf.alignment;
  }
}

/** Types that no kernel multiplies by: integers, doubles, and the ones that only activations are quantized to. */
const notWeights: ReadonlySet<GgmlTypeName> = new Set(["I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"]);
/** Tables of token or expert numbers. */
const integerTensor = /(^|\.)(d2t|t2d|ffn_gate_tid2eid)(\.weight)?$/;

function checkTensorType(gguf: GgufFile, tensor: GgufTensor): void {
  if (integerTensor.test(tensor.name)) return;
  if (notWeights.has(tensor.typeName)) {
    failTensor(gguf, tensor, `is of type ${tensor.typeName}, which no engine computes with`);
  }
  // Norms and biases are added and multiplied element by element, and ggml aborts at any type but F32 there.
  if (tensor.shape.length === 1 && tensor.typeName !== "F32") {
    failTensor(gguf, tensor, `is a vector of type ${tensor.typeName}; vectors must be F32`);
  }
}

function failTensor(gguf: GgufFile, tensor: GgufTensor, problem: string): never {
  throw malformed({ name: gguf.name, field: tensor.name, offset: gguf.dataOffset + tensor.offset }, problem);
}
