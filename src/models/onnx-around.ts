import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { InstalledModel } from "../spec/model.ts";
import { onnxFiles } from "./onnx-files.ts";

interface ModelFiles {
  /** Names relative to the folder of the model → paths. */
  readonly files: ReadonlyMap<string, string>;
  /** Name of the file that was asked for. */
  readonly own: string;
}

const mostFiles = 2000;

/** The files that an ONNX file may belong to: those of an installed model, or those of its folder. */
export function modelFiles(path: string, model?: InstalledModel): ModelFiles {
  const named = model?.files.find((file) => file.path === path)?.name;
  // Files that are about to be installed have no folder of their own yet.
  if (named !== undefined && model && model.files.length > 1) {
    const root = rootOf(named);
    const inside = model.files.filter(({ name }) => name.startsWith(root));
    return {
      files: new Map(inside.map((file) => [file.name.slice(root.length), file.path])),
      own: named.slice(root.length),
    };
  }
  return filesAround(path);
}

/** `a/b/onnx/model.onnx` → `a/b/`, and `a/b/model.onnx` too. */
function rootOf(name: string): string {
  const folder = name.slice(0, name.lastIndexOf("/") + 1);
  return folder.replace(/(^|\/)onnx\/$/, "$1");
}

/** The files of the folder, of that above a folder `onnx`, and of those below it. */
function filesAround(path: string): ModelFiles {
  const folder = dirname(path);
  const isInner = basename(folder) === "onnx" && isFile(join(dirname(folder), "config.json"));
  const root = isInner ? dirname(folder) : folder;
  return { files: listModel(root), own: isInner ? `onnx/${basename(path)}` : basename(path) };
}

/** Names of a folder's files, and of those in its folders `onnx` and `1_Pooling`. */
function listModel(root: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const part of ["", "onnx/", "1_Pooling/"]) {
    const folder = join(root, part);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) continue;
    for (const name of readdirSync(folder).slice(0, mostFiles)) {
      if (isFile(join(folder, name))) files.set(part + name, join(folder, name));
    }
  }
  return files;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** All files of the model that an ONNX file belongs to, itself first; undefined: it stands alone. */
export function onnxAround(path: string): readonly { readonly name: string; readonly path: string }[] | undefined {
  const { files, own } = filesAround(path);
  const names = onnxFiles([...files.keys()], own);
  return names?.map((name) => ({ name, path: files.get(name) ?? path }));
}

/** The file that stands for the ONNX model in a folder, relative to it; undefined: there is none. */
export function onnxWeights(folder: string): string | undefined {
  const names = [...listModel(folder).keys()];
  const alone = names.filter((name) => name.endsWith(".onnx"));
  return onnxFiles(names)?.[0] ?? (alone.length === 1 ? alone[0] : undefined);
}
