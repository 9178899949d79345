import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Bytes that this user may still write below a folder, which need not exist yet; undefined where nobody says. */
export async function diskFreeBytes(folder: string): Promise<number | undefined> {
  let path = resolve(folder);
  for (;;) {
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    } catch {
      // The folder is made with the first model; until then its nearest parent is on the same disk.
      const parent = dirname(path);
      if (parent === path) return undefined;
      path = parent;
    }
  }
}
