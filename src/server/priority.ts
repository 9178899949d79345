import { HearthError } from "../error.ts";
import type { Priority } from "../spec/engine.ts";

const header = "x-hearth-priority";

/** How urgent a request is, for every dialect. Throws `bad_request`. */
export function readPriority(headers: Headers): Priority | undefined {
  const value = headers.get(header);
  if (value === null || value === "interactive" || value === "batch") return value ?? undefined;
  throw new HearthError("bad_request", `The header ${header} is ${JSON.stringify(value.slice(0, 32))}.`, {
    hint: "It must be interactive or batch.",
    details: { field: header },
  });
}
