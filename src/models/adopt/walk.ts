/** Looking through folders of other tools: read only, bounded, and patient with what is not there. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export interface FoundFile {
  readonly path: string;
  /** Parts of the path below the start. */
  readonly segments: readonly string[];
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Names in a folder; empty when it is missing or unreadable. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

/** A regular file, links followed; undefined otherwise. */
export async function lookAt(path: string): Promise<{ sizeBytes: number; modifiedMs: number } | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? { sizeBytes: found.size, modifiedMs: found.mtimeMs } : undefined;
  } catch {
    return undefined;
  }
}

/** Regular files down to `depth` folders whose name `accept` takes; at most 5,000. */
export async function walk(folder: string, depth: number, accept: (name: string) => boolean): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  const visit = async (at: string, segments: readonly string[]): Promise<void> => {
    for (const name of await namesIn(at)) {
      if (files.length >= 5000) return;
      const path = join(at, name);
      const file = accept(name) ? await lookAt(path) : undefined;
      if (file) files.push({ path, segments: [...segments, name], ...file });
      else if (segments.length < depth && !name.startsWith(".")) await visit(path, [...segments, name]);
    }
  };
  await visit(folder, []);
  return files;
}

export function isGguf(name: string): boolean {
  return /\.gguf$/i.test(name);
}
