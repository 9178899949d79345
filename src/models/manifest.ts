import { createHash } from "node:crypto";
import { HearthError } from "../error.ts";
import type { Format, ModelFile, ModelOverrides } from "../spec/model.ts";
import { parseDigest } from "./names.ts";

/** What one name in the store means: which blobs it needs, and where they came from. */
export interface Manifest {
  readonly version: 1;
  readonly name: string;
  readonly tag: string;
  readonly format: Format;
  readonly files: readonly ManifestFile[];
  readonly source?: string;
  readonly license?: string;
  /** ISO 8601. */
  readonly modifiedAt: string;
  readonly overrides?: ModelOverrides;
}

export interface ManifestFile {
  readonly role: ModelFile["role"];
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const formats: readonly Format[] = ["gguf", "safetensors", "onnx", "tflite"];
const roles: readonly ModelFile["role"][] = [
  "weights",
  "adapter",
  "projector",
  "tokenizer",
  "config",
  "license",
  "other",
];

/** JSON with a checksum over itself, so that a damaged manifest is noticed. */
export function encodeManifest(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, checksum: checksum(manifest) }, null, 2)}\n`;
}

/** The identity of a model: its files and overrides, whatever its name. Copies have one identity. */
export function manifestId(manifest: Manifest): string {
  return sha256(JSON.stringify([manifest.format, manifest.files, manifest.overrides ?? null]));
}

/** Throws `model_malformed` with the field that is wrong. */
export function parseManifest(text: string): Manifest {
  const value = parseObject(text);
  const { checksum: sum, ...rest } = value;
  if (value["version"] !== 1) throw malformed("version");
  const files = value["files"];
  if (!Array.isArray(files) || files.length === 0 || files.length > 1000) throw malformed("files");
  files.forEach((file, index) => {
    checkFileEntry(file, index);
  });
  if (!formats.includes(value["format"] as Format)) throw malformed("format");
  for (const key of ["name", "tag", "modifiedAt"]) if (typeof value[key] !== "string") throw malformed(key);
  for (const key of ["source", "license"]) {
    if (value[key] !== undefined && typeof value[key] !== "string") throw malformed(key);
  }
  if (Number.isNaN(Date.parse(value["modifiedAt"] as string))) throw malformed("modifiedAt");
  // Every field was checked above.
  const manifest = rest as unknown as Manifest;
  if (sum !== checksum(manifest)) throw malformed("checksum");
  return manifest;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HearthError("model_malformed", "The manifest is not JSON.", { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed("the whole");
  return value as Record<string, unknown>;
}

function checkFileEntry(file: unknown, index: number): void {
  if (typeof file !== "object" || file === null) throw malformed(`files[${index}]`);
  const { role, name, sha256: digest, sizeBytes } = file as Record<string, unknown>;
  if (!roles.includes(role as ModelFile["role"])) throw malformed(`files[${index}].role`);
  if (typeof name !== "string" || name.length > 400) throw malformed(`files[${index}].name`);
  if (typeof digest !== "string" || parseDigest(digest) !== digest) throw malformed(`files[${index}].sha256`);
  if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw malformed(`files[${index}].sizeBytes`);
  }
}

function malformed(field: string): HearthError {
  return new HearthError("model_malformed", `The manifest is damaged: ${field} is wrong.`, { details: { field } });
}

function checksum(manifest: Manifest): string {
  return sha256(JSON.stringify(manifest));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
