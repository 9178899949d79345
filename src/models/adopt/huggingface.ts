import { realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ModelFile } from "../../spec/model.ts";
import { checkpointFiles } from "../checkpoint-files.ts";
import { quantizationOf } from "../gguf-file.ts";
import { parseDigest } from "../names.ts";
import { pathId } from "../sources/path.ts";
import { roleOfFile } from "../sources/source.ts";
import type { Adopted } from "./adopt.ts";
import { groupParts, toModel, withProjectors, type FoundModel } from "./group.ts";
import { isGguf, lookAt, namesIn, walk } from "./walk.ts";

/**
 * The hub's cache: `models--owner--repo/snapshots/<commit>/file`, each a link to `blobs/<etag>`; the etag of a large
 * file is its SHA-256. Of several snapshots, the newest counts.
 */
export async function adoptHuggingface(folder: string): Promise<readonly Adopted[]> {
  const adopted: Adopted[] = [];
  for (const name of await namesIn(folder)) {
    const match = /^models--([^/]+?)--([^/]+)$/.exec(name);
    if (!match) continue;
    const repo = `${match[1] ?? ""}/${match[2] ?? ""}`;
    const seen = new Set<string>();
    for (const commit of await commits(join(folder, name))) {
      const files = await walk(join(folder, name, "snapshots", commit), 3, isGguf);
      for (const found of withProjectors(groupParts(files), files)) {
        const file = found.first.segments.join("/");
        if (seen.has(file)) continue;
        seen.add(file);
        adopted.push(await adopt({ repo, commit, file, found }));
      }
      const checkpoint = await findCheckpoint(join(folder, name, "snapshots", commit), `${repo}@${commit}`);
      if (checkpoint && !seen.has("safetensors")) {
        seen.add("safetensors");
        adopted.push({ short: `hf.co/${repo}:safetensors`, qualified: `hf:${repo}`, model: checkpoint });
      }
    }
  }
  return adopted;
}

/** A SafeTensors checkpoint whose files are all in the snapshot; `source`: repository and commit. */
async function findCheckpoint(folder: string, source: string): Promise<Adopted["model"] | undefined> {
  const found = await walk(folder, 1, () => true);
  const byName = new Map(found.map((file) => [file.segments.join("/"), file]));
  const names = checkpointFiles([...byName.keys()]);
  const [weights] = names ?? [];
  if (names === undefined || weights === undefined) return undefined;
  const files = names.flatMap((name): ModelFile[] => {
    const file = byName.get(name);
    return file ? [{ role: roleOfFile(name), name, sizeBytes: file.sizeBytes, path: file.path }] : [];
  });
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const modifiedMs = Math.max(...found.map((file) => file.modifiedMs));
  const [repo = "", commit = ""] = source.split("@");
  return {
    id: pathId(folder, sizeBytes, modifiedMs),
    format: "safetensors",
    files,
    sizeBytes,
    origin: "huggingface",
    source: `hf:${repo}/${weights}@${commit}`,
    modifiedAt: new Date(modifiedMs),
  };
}

interface Snapshot {
  readonly repo: string;
  readonly commit: string;
  readonly file: string;
  readonly found: FoundModel;
}

async function adopt({ repo, commit, file, found }: Snapshot): Promise<Adopted> {
  const digests = new Map<string, string | undefined>();
  const parts = [...found.parts, ...(found.projector ? [found.projector] : [])];
  for (const part of parts) digests.set(part.path, parseDigest(basename(await realpath(part.path))));
  const tag = quantizationOf(file) ?? file.replace(/\.gguf$/i, "");
  const source = `hf:${repo}/${file}@${commit}`;
  return {
    short: `hf.co/${repo}:${tag}`,
    qualified: `hf:${repo}/${file}`,
    model: toModel(found, { origin: "huggingface", source, digest: (part) => digests.get(part.path) }),
  };
}

/** Commits with a snapshot, newest first. */
async function commits(folder: string): Promise<readonly string[]> {
  const names = (await namesIn(join(folder, "snapshots"))).filter((name) => /^[0-9a-f]{40}$/.test(name));
  const times = new Map<string, number>();
  for (const name of names) {
    const [first] = await walk(join(folder, "snapshots", name), 3, (file) => /\.(gguf|safetensors)$/i.test(file));
    times.set(name, first ? ((await lookAt(first.path))?.modifiedMs ?? 0) : 0);
  }
  return names.toSorted((a, b) => (times.get(b) ?? 0) - (times.get(a) ?? 0));
}
