import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** URL of sharp in the folder of the pack `pictures`, or of another one that has it too. */
export function picturesModule(folder: string): string {
  return pathToFileURL(join(folder, "node_modules", "sharp", "dist", "index.mjs")).href;
}
