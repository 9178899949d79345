import { realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { quantizationOf } from "../gguf-file.ts";
import { parseDigest } from "../names.ts";
import type { Adopted } from "./adopt.ts";
import { groupParts, toModel, type FoundModel } from "./group.ts";
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
      for (const found of groupParts(await walk(join(folder, name, "snapshots", commit), 3, isGguf))) {
        const file = found.first.segments.join("/");
        if (seen.has(file)) continue;
        seen.add(file);
        adopted.push(await adopt({ repo, commit, file, found }));
      }
    }
  }
  return adopted;
}

interface Snapshot {
  readonly repo: string;
  readonly commit: string;
  readonly file: string;
  readonly found: FoundModel;
}

async function adopt({ repo, commit, file, found }: Snapshot): Promise<Adopted> {
  const digests = new Map<string, string | undefined>();
  for (const part of found.parts) digests.set(part.path, parseDigest(basename(await realpath(part.path))));
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
    const [first] = await walk(join(folder, "snapshots", name), 3, isGguf);
    times.set(name, first ? ((await lookAt(first.path))?.modifiedMs ?? 0) : 0);
  }
  return names.toSorted((a, b) => (times.get(b) ?? 0) - (times.get(a) ?? 0));
}
