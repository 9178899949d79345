import { explainTooLong } from "../chat/overflow.ts";
import { HearthError, toHearthError } from "../error.ts";

/** What a task throws: one error class, `aborted` for every reason to abort, and the numbers of a prompt too long. */
export function toTaskError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted) return explainTooLong(toHearthError(error));
  const reason: unknown = signal.reason;
  if (reason instanceof HearthError) return reason;
  return new HearthError("aborted", "The request was cancelled.", { cause: reason });
}
