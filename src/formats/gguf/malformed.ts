import { HearthError } from "../../error.ts";

export interface Fault {
  /** What messages call the file. */
  readonly name: string;
  /** Key or tensor or part of the header. */
  readonly field: string;
  /** Byte of the file. */
  readonly offset: number;
}

/** The one error for a damaged or hostile file; details {field, offset}. */
export function malformed(fault: Fault, problem: string): HearthError {
  const field = printable(fault.field);
  return new HearthError("model_malformed", `${fault.name}: ${field} at byte ${fault.offset} ${problem}.`, {
    details: { field, offset: fault.offset },
  });
}

/** Names come from the file: cut them and show control characters as escapes. */
export function printable(text: string, limit = 80): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  return cut.replaceAll(
    /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
