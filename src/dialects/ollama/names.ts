import { HearthError } from "../../error.ts";
import type { ModelLibrary } from "../../models/contract.ts";
import type { InstalledModel } from "../../spec/model.ts";

/**
 * Runs something that needs the model `text`. Throws `model_not_found` in the words that Ollama's clients look for.
 * The library itself takes `name` and `name:latest` for one model.
 */
export async function withModel<T>(text: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof HearthError && error.code === "model_not_found" ? notFound(text, error) : error;
  }
}

export async function resolveModel(library: ModelLibrary, text: string): Promise<InstalledModel> {
  return await withModel(text, async () => await library.resolve(text));
}

function notFound(text: string, error: HearthError): HearthError {
  const more = error.message.replace(/^Model "[^"]*" is not installed\.\s*/, "").trim();
  const message = `model '${text}' not found${more === "" ? "." : `. ${more}`}`;
  return new HearthError("model_not_found", message, { hint: error.hint, details: error.details, cause: error });
}
