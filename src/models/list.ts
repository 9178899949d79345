import type { InstalledModel } from "../spec/model.ts";
import { adoptAll } from "./adopt/adopt.ts";
import type { LibraryContext } from "./context.ts";
import { missingFile, toInstalled } from "./installed.ts";
import { readManifests } from "./manifests.ts";

export interface Inventory {
  /** By name. */
  readonly models: readonly InstalledModel[];
  /** Further names of adopted models: lower case → model. */
  readonly aliases: ReadonlyMap<string, InstalledModel>;
  /** Damaged models, one sentence each. */
  readonly warnings: readonly string[];
}

/** Everything that is installed. Reads manifests and folder entries, never weights. */
export async function takeInventory({ folders, foreign }: LibraryContext): Promise<Inventory> {
  const { manifests, damaged } = await readManifests(folders);
  const warnings = damaged.map(
    ({ name, tag, message }) => `Model "${name}:${tag}" is damaged. ${message} ${remedy(name, tag)}`,
  );
  const models: InstalledModel[] = [];
  for (const manifest of manifests) {
    const missing = await missingFile(folders, manifest);
    if (missing === undefined) models.push(toInstalled(folders, manifest));
    else
      warnings.push(
        `Model "${manifest.name}:${manifest.tag}" is damaged: ${missing}. ${remedy(manifest.name, manifest.tag)}`,
      );
  }
  const taken = new Set(models.map((model) => model.name.toLowerCase()));
  const adopted =
    foreign === undefined ? { models: [], aliases: new Map<string, InstalledModel>() } : await adoptAll(foreign, taken);
  models.push(...adopted.models);
  models.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  return { models, aliases: adopted.aliases, warnings };
}

function remedy(name: string, tag: string): string {
  return `\`hearth pull ${name}:${tag}\` fetches it again, \`hearth rm ${name}:${tag}\` removes it.`;
}
