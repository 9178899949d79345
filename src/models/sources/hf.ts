/** The Hugging Face hub: `/api/models/…` lists files with sizes and SHA-256, `/…/resolve/…` gives their bytes. */
import { HearthError } from "../../error.ts";
import type { ModelReference } from "../../spec/model.ts";
import type { LibraryContext } from "../context.ts";
import { checkpointFiles, findPickle } from "../checkpoint-files.ts";
import { onnxFiles } from "../onnx-files.ts";
import { chooseProjector, isSideFile, quantizationOf, quantizationRank, splitParts } from "../gguf-file.ts";
import { checkFile, parseDigest } from "../names.ts";
import { formatReference } from "../reference.ts";
import { stageFile } from "../stage.ts";
import { readJson, refusal, request } from "./request.ts";
import { roleOfFile, type Courier, type Fetched, type SourceRequest, type StagedFile } from "./source.ts";

type HubReference = Extract<ModelReference, { kind: "hf" }>;

export interface HubFile {
  readonly name: string;
  readonly sizeBytes: number | undefined;
  /** Of large files only. */
  readonly sha256: string | undefined;
}

export interface HubRepo {
  /** What the revision means now: every byte is fetched from this commit. */
  readonly commit: string;
  readonly license: string | undefined;
  readonly files: readonly HubFile[];
}

export async function fetchHub(
  context: LibraryContext,
  reference: HubReference,
  { files, sha256, courier }: Pick<SourceRequest, "files" | "sha256"> & { courier: Courier },
): Promise<Fetched> {
  const label = formatReference(reference);
  courier.report({ phase: "resolve", label, completedBytes: 0 });
  const repo = await readRepo(context, reference, courier);
  const chosen = chooseFiles(repo, reference, files);
  // Files of a checkpoint find each other by their names, wherever in the repository it is.
  const folder = isCheckpoint(chosen) ? folderOf(chosen[0]?.name ?? "") : "";
  const staged: StagedFile[] = [];
  for (const [index, file] of chosen.entries()) {
    const alone = chosen.slice(1).every(({ name }) => roleOfFile(name) === "projector");
    const digest = (index === 0 && alone ? sha256 : undefined) ?? file.sha256;
    staged.push(
      await stageFile(
        context,
        {
          label: file.name.split("/").at(-1) ?? file.name,
          name: file.name.slice(folder.length),
          role: roleOfFile(file.name),
          url: resolveUrl(context, reference.repo, { commit: repo.commit, file: file.name }),
          authorization: authorization(context),
          sizeBytes: file.sizeBytes,
          sha256: digest,
        },
        courier,
      ),
    );
  }
  const source = formatReference({
    kind: "hf",
    repo: reference.repo,
    file: chosen[0]?.name ?? "",
    revision: repo.commit,
  });
  return { files: staged, source, license: repo.license, leftovers: [] };
}

/** Asks the hub what a repository holds. Throws `model_not_found`, `pull_failed` or `offline`. */
export async function readRepo(
  context: LibraryContext,
  { repo, revision = "main" }: HubReference,
  { signal, answerTimeoutMs }: Courier,
): Promise<HubRepo> {
  const url = `${base(context)}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await request(context, {
    url,
    authorization: authorization(context),
    signal,
    timeoutMs: answerTimeoutMs,
  });
  if (!answer.response.ok) {
    answer.abort(new Error(`status ${answer.response.status}`));
    throw refusal(answer.response.status, `repository ${repo}${revision === "main" ? "" : ` at ${revision}`}`, url);
  }
  return parseRepo(await readJson(answer), repo);
}

function parseRepo(value: unknown, repo: string): HubRepo {
  const { sha, siblings, cardData } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha) || !Array.isArray(siblings)) {
    throw new HearthError("pull_failed", `The hub described ${repo} in a way that hearth does not understand.`);
  }
  const license =
    typeof cardData === "object" && cardData !== null && "license" in cardData ? cardData.license : undefined;
  return {
    commit: sha,
    license: typeof license === "string" ? license : undefined,
    files: siblings.map((sibling: unknown) => parseSibling(sibling)).filter((file) => file !== undefined),
  };
}

/** Files with names that could not be fetched safely are as if they were not there. */
function parseSibling(value: unknown): HubFile | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { rfilename, size, lfs } = value as Record<string, unknown>;
  if (typeof rfilename !== "string" || !isFileName(rfilename)) return undefined;
  const large = typeof lfs === "object" && lfs !== null ? (lfs as Record<string, unknown>) : {};
  const sizeBytes = large["size"] ?? size;
  return {
    name: rfilename,
    sizeBytes:
      typeof sizeBytes === "number" && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 ? sizeBytes : undefined,
    sha256: parseDigest(large["sha256"]),
  };
}

function isFileName(name: string): boolean {
  try {
    checkFile(name, name);
    return true;
  } catch {
    return false;
  }
}

/** The files asked for by name; else the quantization asked for; else the one most people want. Splits come whole. */
export function chooseFiles(
  repo: HubRepo,
  reference: HubReference,
  names: readonly string[] | undefined,
): readonly HubFile[] {
  const wanted = reference.file === undefined ? names : [reference.file];
  const [only] = wanted ?? [];
  if (wanted?.length === 1 && only?.endsWith(".safetensors")) {
    const together = checkpointIn(repo, folderOf(only));
    if (together?.some(({ name }) => name === only)) return together;
  }
  if (wanted?.length === 1 && only?.endsWith(".onnx")) {
    const together = onnxIn(repo, only);
    if (together) return together;
  }
  if (reference.file !== undefined)
    return withProjector(repo, withParts(repo, byName(repo, reference, reference.file)));
  if (wanted !== undefined && wanted.length > 0)
    return wanted.flatMap((name) => withParts(repo, byName(repo, reference, name)));
  const models = repo.files.filter(
    ({ name }) => /\.gguf$/i.test(name) && !isSideFile(name) && (splitOf(name)?.part ?? 1) === 1,
  );
  if (models.length === 0) return checkpointIn(repo, "") ?? onnxIn(repo) ?? noModels(repo, reference);
  const matching =
    reference.quantization === undefined
      ? models
      : models.filter(({ name }) => quantizationOf(name) === reference.quantization);
  const [best] = matching.toSorted(
    (a, b) => quantizationRank(a.name) - quantizationRank(b.name) || a.name.length - b.name.length,
  );
  if (best) return withProjector(repo, withParts(repo, best));
  const offered = [...new Set(models.map(({ name }) => quantizationOf(name) ?? name))];
  throw new HearthError("model_not_found", `${reference.repo} has no ${reference.quantization ?? ""} model.`, {
    hint: `It has ${offered.slice(0, 20).join(", ")}.`,
  });
}

/** The projector beside a language model, or in the top folder, comes along. */
function withProjector(repo: HubRepo, files: readonly HubFile[]): readonly HubFile[] {
  const [first] = files;
  if (!first || !/\.gguf$/i.test(first.name) || isSideFile(first.name)) return files;
  for (const folder of new Set([folderOf(first.name), ""])) {
    const beside = repo.files.filter(({ name }) => folderOf(name) === folder);
    const name = chooseProjector(beside.map((file) => file.name));
    const found = beside.find((file) => file.name === name);
    if (found) return [...files, found];
  }
  return files;
}

/** The files of the checkpoint in a folder of the repository, the weights first. */
function checkpointIn({ files }: HubRepo, folder: string): readonly HubFile[] | undefined {
  const inside = new Map(
    files.filter(({ name }) => name.startsWith(folder)).map((file) => [file.name.slice(folder.length), file] as const),
  );
  return checkpointFiles([...inside.keys()])?.flatMap((name) => inside.get(name) ?? []);
}

/** The files of the ONNX model that a file belongs to, itself first; without one, of that in the repository. */
function onnxIn({ files }: HubRepo, wanted?: string): readonly HubFile[] | undefined {
  const root = wanted === undefined ? "" : folderOf(wanted).replace(/(^|\/)onnx\/$/, "$1");
  const inside = new Map(
    files.filter(({ name }) => name.startsWith(root)).map((file) => [file.name.slice(root.length), file] as const),
  );
  return onnxFiles([...inside.keys()], wanted?.slice(root.length))?.flatMap((name) => inside.get(name) ?? []);
}

function isCheckpoint(files: readonly HubFile[]): boolean {
  return files.length > 1 && (files[0]?.name ?? "").endsWith(".safetensors");
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

function byName(repo: HubRepo, reference: HubReference, name: string): HubFile {
  const file =
    repo.files.find((candidate) => candidate.name === name) ??
    repo.files.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
  if (file) return file;
  const models = repo.files.filter((candidate) => /\.(gguf|onnx|tflite|safetensors)$/i.test(candidate.name));
  throw new HearthError("model_not_found", `${reference.repo} has no file ${name}.`, {
    hint:
      models.length === 0
        ? "It has no model files."
        : `It has ${models
            .slice(0, 12)
            .map((candidate) => candidate.name)
            .join(", ")}.`,
  });
}

function withParts(repo: HubRepo, file: HubFile): readonly HubFile[] {
  const split = splitOf(file.name);
  if (!split) return [file];
  const folder = folderOf(file.name);
  return split.names.map((name) => {
    const part = repo.files.find((candidate) => candidate.name === folder + name);
    if (!part)
      throw new HearthError("model_not_found", `The repository lacks ${name}, a part of the model.`, {
        hint: "Choose another file.",
      });
    return part;
  });
}

function noModels(repo: HubRepo, reference: HubReference): never {
  const pickle = findPickle(repo.files.map(({ name }) => name));
  const other = pickle ?? repo.files.find(({ name }) => /\.(safetensors|onnx|tflite)$/i.test(name))?.name;
  const search = `Search the hub for ${reference.repo.split("/")[1] ?? ""} GGUF.`;
  throw new HearthError(
    "model_not_found",
    `${reference.repo} has no GGUF model, no SafeTensors checkpoint and no ONNX model that hearth knows.`,
    {
      hint:
        other === undefined
          ? "Choose a repository with GGUF files, or with config.json and *.safetensors."
          : pickle === undefined
            ? `It has ${other}, but not what belongs to it. ${search}`
            : `It has ${other}, a Python pickle. Pickles run programs when they are opened, so hearth never opens them. ${search}`,
    },
  );
}

function splitOf(name: string): ReturnType<typeof splitParts> {
  return splitParts(name.split("/").at(-1) ?? name);
}

function resolveUrl(context: LibraryContext, repo: string, { commit, file }: { commit: string; file: string }): string {
  return `${base(context)}/${repo}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
}

function base({ settings }: LibraryContext): string {
  return settings.hub.replace(/\/+$/, "");
}

function authorization({ settings }: LibraryContext): string | undefined {
  return settings.hubToken === undefined || settings.hubToken === "" ? undefined : `Bearer ${settings.hubToken}`;
}
