import { quantizationOf } from "../gguf-file.ts";
import type { Adopted } from "./adopt.ts";
import { groupParts, toModel, withProjectors } from "./group.ts";
import { isGguf, walk } from "./walk.ts";

/** LM Studio keeps `publisher/repo/file.gguf`. */
export async function adoptLmstudio(folder: string): Promise<readonly Adopted[]> {
  const files = await walk(folder, 3, isGguf);
  return withProjectors(groupParts(files), files).map((found) => {
    const { segments } = found.first;
    const stem = (segments.at(-1) ?? "").replace(/\.gguf$/i, "");
    const path = segments.slice(0, -1).join("/");
    const short = path === "" ? stem : `${path}:${quantizationOf(stem) ?? stem}`;
    return {
      short,
      qualified: `lmstudio:${[...segments.slice(0, -1), stem].join("/")}`,
      model: toModel(found, { origin: "lmstudio" }),
    };
  });
}
