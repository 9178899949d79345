/** A second, smaller model beside the first one. */
import { HearthError } from "../../error.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { checkModel } from "./check.ts";
import type { Prepared, PrepareOptions } from "./prepare.ts";
import { prepare } from "./prepare.ts";
import { createGgufTokenizer } from "./tokenizer/gguf.ts";
import type { Vocabulary } from "./tokenizer/vocabulary.ts";

/** Throws `model_unsupported` where its tokens are not those of the first model. */
export function prepareDraft(header: GgufFile, vocabulary: Vocabulary, options: PrepareOptions): Prepared {
  const checked = checkModel(header, options.contextTokens);
  const tokenizer = createGgufTokenizer(header.metadata);
  const differs = firstDifference(vocabulary, tokenizer);
  if (checked.hyperparameters.encoder || differs !== undefined) {
    const reason = differs === undefined ? "it generates no text" : `token ${differs} is another one`;
    throw new HearthError("model_unsupported", `${header.name} cannot be the draft of this model: ${reason}.`, {
      hint: "A draft model needs the vocabulary of the model whose answers it guesses: a smaller one of the same family.",
      details: { field: "draft" },
    });
  }
  return prepare(header, checked, options);
}

/** The first token that the two do not share; undefined: there is none. */
function firstDifference(one: Vocabulary, other: Vocabulary): number | undefined {
  // Models of a family may have more or fewer unused tokens at the end.
  const size = Math.min(one.size, other.size);
  for (let token = 0; token < size; token++) {
    if (one.isControl(token) && other.isControl(token)) continue;
    const left = one.tokenBytes(token);
    const right = other.tokenBytes(token);
    if (left.length !== right.length || left.some((byte, index) => right[index] !== byte)) return token;
  }
  return Math.abs(one.size - other.size) > 256 ? size : undefined;
}
