/** The smaller model that guesses for another one: who asked for it, and whether it can. */
import { HearthError } from "../error.ts";
import type { ModelLibrary } from "../models/contract.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { LoadSettings } from "./load-options.ts";

export interface Draft {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  /** Absolute path of its weights. */
  readonly path: string;
}

export interface DraftQuestion {
  readonly library: ModelLibrary;
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly requested: LoadOptions;
  readonly settings: Pick<LoadSettings, "draft" | "speculation">;
}

export interface DraftAnswer {
  readonly draft?: Draft;
  /** Why there is none although the settings name one. */
  readonly reason?: string;
}

/**
 * `LoadOptions.draft` of a request may be a name or a path, as the setting may. A request that asks for what cannot be
 * is refused with `unsupported_option`; the setting counts where it can be of use.
 */
export async function findDraft(question: DraftQuestion): Promise<DraftAnswer> {
  const { requested, settings } = question;
  const text = requested.draft?.path ?? settings.draft;
  if (text === undefined) return {};
  const useless = uselessness(question);
  if (useless !== undefined && requested.draft) throw refusal(text, useless);
  if (useless !== undefined) return { reason: leftOut(text, useless) };
  const draft = await lookUp(question, text);
  const itself = draft.path === weightsOf(question.model);
  if (itself && !requested.draft) return { reason: leftOut(text, "it is the model itself") };
  return { draft };
}

function uselessness({ info, requested, settings }: DraftQuestion): string | undefined {
  if (!info.capabilities.includes("generate")) return "the model generates no text";
  const { speculation = settings.speculation } = requested;
  return speculation === "off" ? "guessing ahead is switched off" : undefined;
}

async function lookUp({ library, model }: DraftQuestion, text: string): Promise<Draft> {
  const draft = await resolve(library, text, model.name);
  if (draft.format !== "gguf") throw refusal(text, `it is a ${draft.format} model; a draft is a GGUF model`);
  const info = await library.inspect(draft);
  const path = weightsOf(draft);
  if (path === undefined || !info.capabilities.includes("generate")) throw refusal(text, "it generates no text");
  return { model: draft, info, path };
}

async function resolve(library: ModelLibrary, text: string, model: string): Promise<InstalledModel> {
  try {
    return await library.resolve(text);
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const { code, message, hint, details } = error;
    const because = { hint, details: { ...details, field: "draft" }, cause: error };
    throw new HearthError(code, `The draft of "${model}" was not found: ${message}`, because);
  }
}

function weightsOf({ files }: InstalledModel): string | undefined {
  return files.find(({ role }) => role === "weights")?.path;
}

function leftOut(text: string, reason: string): string {
  return `the draft model ${text} is left out: ${reason}`;
}

function refusal(text: string, reason: string): HearthError {
  return new HearthError("unsupported_option", `The draft model "${text}" cannot be used: ${reason}.`, {
    hint: "A draft model is a smaller one of the same family, for a model that generates text.",
    details: { field: "draft" },
  });
}
