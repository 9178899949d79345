import { HearthError } from "../../error.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { Hyperparameters } from "./architectures/hyperparameters.ts";
import { architectureOf } from "./architectures/read.ts";
import { architectures, findArchitecture } from "./architectures/table.ts";
import { createShapes } from "./graph/shapes.ts";

export interface CheckedModel {
  readonly architecture: Architecture;
  readonly hyperparameters: Hyperparameters;
}

/** Tables that old converters wrote and that every engine computes itself. */
const harmless = /^(?:blk\.\d+\.attn_rot_embd(?:\.weight)?|blk\.\d+\.attn\.rotary_emb\.inv_freq)$/;

/**
 * The whole check of a header that `validateForEngine` has accepted: figures, and the name, shape and type of every tensor
 * that the forward pass takes. Reads no tensor data and allocates nothing of size. A model in several files is given as its
 * first one with the tensors of all. Throws `model_malformed` with {field, offset}, and `model_unsupported` for an unknown
 * architecture, a type that flint does not read, shapes that its kernels cannot compute, and a tensor that the forward
 * pass would leave out.
 */
export function checkModel(file: GgufFile, contextTokens?: number): CheckedModel {
  const name = architectureOf(file);
  const architecture = findArchitecture(name);
  if (!architecture) throw unsupported(file, `has the architecture "${printable(name)}"`, name);
  const hyperparameters = architecture.hyperparameters(file, contextTokens);
  const shapes = createShapes((problem, field) => {
    throw unsupported(file, problem, field);
  });
  architecture.build(shapes, hyperparameters);
  const [unknown] = hyperparameters.tensors.unknown().filter((tensor) => !harmless.test(tensor));
  if (unknown !== undefined) {
    throw unsupported(file, `has the tensor ${printable(unknown)}, for which its architecture has no place`, unknown);
  }
  return { architecture, hyperparameters };
}

function unsupported(file: GgufFile, problem: string, field: string): HearthError {
  return new HearthError("model_unsupported", `${file.name} ${problem}; flint does not run it.`, {
    hint: `Use the llama engine for this model. Architectures of flint: ${[...architectures.keys()].join(", ")}.`,
    details: { field: printable(field) },
  });
}
