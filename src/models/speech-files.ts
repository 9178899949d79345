/** Which files of a folder are a model of speech together. */
import { basename } from "node:path";
import { listAround } from "../formats/speech/files.ts";
import { mainPart } from "../formats/speech/kind.ts";
import { findLayout } from "../formats/speech/layout.ts";

/** The file that stands for all of them; undefined: there is no such model. `names` are those of one folder. */
export function speechWeights(names: readonly string[]): string | undefined {
  const models = names.filter((name) => name.endsWith(".onnx"));
  // Fewer bits first, as the engine would choose.
  const [first] = models.toSorted((a, b) => Number(/int8|quant/.test(b)) - Number(/int8|quant/.test(a)));
  const layout = first === undefined ? undefined : findLayout(names, first);
  return layout && layout.shape !== "alone" ? layout.parts[mainPart(layout)] : undefined;
}

/** All files of the model that an ONNX file belongs to, itself first; undefined: it stands alone. */
export function speechAround(path: string): readonly { readonly name: string; readonly path: string }[] | undefined {
  const around = listAround(path);
  const own = basename(path);
  const layout = findLayout([...around.keys()], own);
  if (!layout || layout.shape === "alone") return undefined;
  const parts = new Set<string>(Object.values(layout.parts));
  if (!parts.has(own)) return undefined;
  const data = layout.parts.data;
  const names = [...around.keys()].filter(
    (name) => parts.has(name) || (data !== undefined && name.startsWith(`${data}/`)),
  );
  return [own, ...names.filter((name) => name !== own)].map((name) => ({ name, path: around.get(name) ?? path }));
}
