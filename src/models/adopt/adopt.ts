import type { InstalledModel, ModelOrigin } from "../../spec/model.ts";
import type { ForeignFolders } from "../context.ts";
import { adoptHuggingface } from "./huggingface.ts";
import { adoptLlamaCpp } from "./llama-cpp.ts";
import { adoptLmstudio } from "./lmstudio.ts";
import { adoptOllama } from "./ollama.ts";

/** A model of another tool. `short` is its name when no other model claims it, `qualified` always works. */
export interface Adopted {
  readonly short: string;
  readonly qualified: string;
  readonly model: Omit<InstalledModel, "name">;
}

export interface AdoptedModels {
  readonly models: readonly InstalledModel[];
  /** Lower-case names besides the canonical ones. */
  readonly aliases: ReadonlyMap<string, InstalledModel>;
}

/** What the other tools on this machine hold. `taken`: lower-case names of our own store, which win. */
export async function adoptAll(foreign: ForeignFolders, taken: ReadonlySet<string>): Promise<AdoptedModels> {
  const found = (
    await Promise.all([
      adoptOllama(foreign.ollama),
      ...foreign.lmstudio.map(adoptLmstudio),
      adoptHuggingface(foreign.huggingface),
      adoptLlamaCpp(foreign.llamaCpp),
    ])
  ).flat();
  const claims = new Map<string, number>();
  for (const { short } of found) claims.set(short.toLowerCase(), (claims.get(short.toLowerCase()) ?? 0) + 1);
  const aliases = new Map<string, InstalledModel>();
  const models = found.map(({ short, qualified, model }): InstalledModel => {
    const plain = !taken.has(short.toLowerCase()) && claims.get(short.toLowerCase()) === 1;
    const named = { ...model, name: plain ? short : qualified };
    aliases.set(qualified.toLowerCase(), named);
    return named;
  });
  return { models, aliases };
}

/** How the owning tool removes a model; undefined for our own. */
export function removalCommand(model: InstalledModel): string | undefined {
  const commands: Record<ModelOrigin, () => string | undefined> = {
    store: () => undefined,
    ollama: () => `ollama rm ${model.source?.replace(/^ollama:/, "") ?? model.name}`,
    lmstudio: () => "LM Studio (My Models → delete)",
    huggingface: () => "hf cache delete",
    "llama.cpp": () => `rm ${model.files[0]?.path ?? ""}`,
    path: () => `rm ${model.files[0]?.path ?? model.name}`,
  };
  return commands[model.origin]();
}
