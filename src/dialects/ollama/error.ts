import { HearthError } from "../../error.ts";

/** Ollama's clients read one text. Errors of ours carry the id, and no text that could hold a path or a prompt. */
export function toErrorBody(error: HearthError, id: string): { readonly error: string } {
  if (error.code === "internal") return { error: `Something went wrong inside hearth (${id}). ${error.hint}`.trim() };
  return { error: [error.message, error.hint].filter((text) => text !== "").join(" ") };
}

/** For routes of Ollama that have no counterpart. */
export function notOffered(what: string, instead: string): HearthError {
  return new HearthError("unsupported_option", `${what} is not offered by this server.`, { hint: instead });
}
