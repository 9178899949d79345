import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** Files of a model of speech: names relative to the folder of its weights, and where they are. */
export type SpeechPaths = ReadonlyMap<string, string>;

/** The one folder that models of speech have inside: how espeak-ng says words. */
const dataName = "espeak-ng-data";
const mostFiles = 2000;
const mostDepth = 4;

/** Lists the folder of a file of weights. */
export function listAround(weights: string): SpeechPaths {
  const paths = new Map<string, string>();
  const walk = (folder: string, prefix: string, depth: number): void => {
    for (const entry of readdirSync(folder)) {
      const path = join(folder, entry);
      const found = statSync(path, { throwIfNoEntry: false });
      const enters = depth === 0 ? entry === dataName : depth < mostDepth && paths.size < mostFiles;
      if (found?.isFile()) paths.set(prefix + entry, path);
      else if (found?.isDirectory() && enters) walk(path, `${prefix}${entry}/`, depth + 1);
    }
  };
  walk(dirname(weights), "", 0);
  return paths;
}

/** The same for files that have names but no common folder yet; `weights` is the name of one of them. */
export function filesAround(files: SpeechPaths, weights: string): SpeechPaths {
  const prefix = weights.slice(0, weights.lastIndexOf("/") + 1);
  const inside = [...files].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, path]) => [name.slice(prefix.length), path]));
}
