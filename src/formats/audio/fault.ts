import { HearthError } from "../../error.ts";

/** The error for sound that cannot be read: a sentence, and what to do about it. */
export function badSound(problem: string, hint?: string): HearthError {
  return new HearthError("bad_request", problem, { hint, details: { field: "file" } });
}
