import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";

/** The error for parts that do not fit each other; details {field}. */
export function fault(name: string, part: string, problem: string): HearthError {
  const field = part === "" ? "graph" : printable(part);
  return new HearthError("model_malformed", `${name}: ${field} ${problem}.`, { details: { field } });
}
