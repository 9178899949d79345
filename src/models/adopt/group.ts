import type { InstalledModel, ModelFile, ModelOrigin } from "../../spec/model.ts";
import { chooseProjector, isSideFile, splitParts } from "../gguf-file.ts";
import { pathId } from "../sources/path.ts";
import type { FoundFile } from "./walk.ts";

export interface FoundModel {
  /** First part. */
  readonly first: FoundFile;
  readonly parts: readonly FoundFile[];
  readonly projector?: FoundFile;
}

/** Stores with a folder for each repository have its projector beside its models. */
export function withProjectors(models: readonly FoundModel[], files: readonly FoundFile[]): readonly FoundModel[] {
  const folderOf = ({ segments }: FoundFile): string => segments.slice(0, -1).join("/");
  return models.map((model) => {
    const beside = files.filter((file) => folderOf(file) === folderOf(model.first));
    const name = chooseProjector(beside.map(({ segments }) => segments.at(-1) ?? ""));
    const projector = beside.find(({ segments }) => segments.at(-1) === name);
    return { ...model, ...(projector && { projector }) };
  });
}

/** GGUF files → models: the parts of a split model together, incomplete ones and side files left out. */
export function groupParts(files: readonly FoundFile[]): readonly FoundModel[] {
  const byPath = new Map(files.map((file) => [file.segments.join("/"), file]));
  return files.flatMap((file) => {
    const name = file.segments.at(-1) ?? "";
    if (isSideFile(name)) return [];
    const split = splitParts(name);
    if (!split) return [{ first: file, parts: [file] }];
    if (split.part !== 1) return [];
    const folder = file.segments.slice(0, -1);
    const parts = split.names.map((part) => byPath.get([...folder, part].join("/")));
    return parts.every((part) => part !== undefined) ? [{ first: file, parts }] : [];
  });
}

export interface FoundOptions {
  readonly origin: ModelOrigin;
  readonly source?: string;
  /** Digest of a file, where the tool's own layout states it. */
  readonly digest?: (file: FoundFile) => string | undefined;
}

export function toModel(found: FoundModel, options: FoundOptions): Omit<InstalledModel, "name"> {
  const { first, projector } = found;
  const parts = projector ? [...found.parts, projector] : found.parts;
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const modifiedMs = Math.max(...parts.map((part) => part.modifiedMs));
  return {
    id: pathId(first.path, sizeBytes, modifiedMs),
    format: "gguf",
    files: parts.map((part): ModelFile => {
      const sha256 = options.digest?.(part);
      return {
        role: part === projector ? "projector" : "weights",
        name: part.segments.at(-1) ?? "",
        ...(sha256 !== undefined && { sha256 }),
        sizeBytes: part.sizeBytes,
        path: part.path,
      };
    }),
    sizeBytes,
    origin: options.origin,
    ...(options.source !== undefined && { source: options.source }),
    modifiedAt: new Date(modifiedMs),
  };
}
