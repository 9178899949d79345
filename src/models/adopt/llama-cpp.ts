import type { Adopted } from "./adopt.ts";
import { groupParts, toModel } from "./group.ts";
import { isGguf, walk } from "./walk.ts";

/** llama.cpp keeps the files it downloaded flat, as `owner_repo_file.gguf`. */
export async function adoptLlamaCpp(folder: string): Promise<readonly Adopted[]> {
  return groupParts(await walk(folder, 1, isGguf)).map((found) => {
    const stem = (found.first.segments.at(-1) ?? "").replace(/\.gguf$/i, "");
    return { short: stem, qualified: `llama.cpp:${stem}`, model: toModel(found, { origin: "llama.cpp" }) };
  });
}
