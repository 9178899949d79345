import { HearthError } from "../../../error.ts";

/** A vocabulary that contradicts itself. `field`: the key of the file. */
export function malformed(field: string, problem: string): HearthError {
  return new HearthError("model_malformed", `The vocabulary: ${field} ${problem}.`, { details: { field } });
}

/** A vocabulary of a kind that we do not know. */
export function unsupported(field: string, problem: string): HearthError {
  return new HearthError("model_unsupported", `The vocabulary: ${field} ${problem}.`, {
    hint: "Another engine may know it; see `hearth plan MODEL`.",
    details: { field },
  });
}
