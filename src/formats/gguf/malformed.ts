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

/** Names come from the file: cut them and show control and direction characters as escapes. */
export function printable(text: string, limit = 80): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
