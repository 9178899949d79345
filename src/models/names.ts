/** Strict checks of the words that end up in paths and URLs. Everything not listed here is refused. */
import { HearthError } from "../error.ts";

const segment = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** Names that Windows gives to devices, in any folder and with any extension. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

export function refuse(text: string, why: string): HearthError {
  return new HearthError("bad_request", `"${text}" is not a model reference: ${why}.`, {
    hint: "Write name:tag, hf:owner/repo/file.gguf, ollama:name:tag, npm:package, https://… or a path such as ./model.gguf.",
    details: { field: "model" },
  });
}

/** One or more segments of letters, digits, `.`, `_` and `-`, joined by `/`; at most 160 characters. */
export function checkName(name: string, text: string): string {
  if (name === "") throw refuse(text, "the name is empty");
  if (name.length > 160) throw refuse(text.slice(0, 60), "the name is longer than 160 characters");
  const parts = name.split("/");
  if (parts.length > 5) throw refuse(text, "the name has more than five parts");
  for (const part of parts) checkSegment(part, text);
  return name;
}

export function checkTag(tag: string, text: string): string {
  if (tag.length > 100) throw refuse(text.slice(0, 60), "the tag is longer than 100 characters");
  checkSegment(tag, text);
  return tag;
}

export function checkRepo(repo: string, text: string): string {
  const parts = repo.split("/");
  if (parts.length !== 2 || repo.length > 140) throw refuse(text, "a hub repository is owner/repo");
  for (const part of parts) checkSegment(part, text);
  return repo;
}

/** A branch, tag, commit or `refs/pr/1`. */
export function checkRevision(revision: string, text: string): string {
  if (revision.length > 120) throw refuse(text.slice(0, 60), "the revision is longer than 120 characters");
  for (const part of revision.split("/")) checkSegment(part, text);
  return revision;
}

/** A file inside a repository or package: relative, forward slashes, no `..`. */
export function checkFile(file: string, text: string): string {
  if (file.length > 400) throw refuse(text.slice(0, 60), "the file name is longer than 400 characters");
  for (const part of file.split("/")) {
    if (!isSafeFilePart(part)) throw refuse(text, `"${part}" cannot be part of a file name`);
  }
  return file;
}

/** Lower-case hex SHA-256, or undefined. Takes `sha256:` and `sha256-` in front. */
export function parseDigest(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  return /^(?:sha256[:-])?([0-9a-f]{64})$/.exec(text)?.[1];
}

function isSafeFilePart(part: string): boolean {
  if (part === "" || part.startsWith(".") || part.endsWith(".") || part.endsWith(" ") || device.test(part))
    return false;
  // oxlint-disable-next-line no-control-regex -- these are the characters that must not pass
  return !/[\u0000-\u001f\u007f\\:*?"<>|%#]/.test(part);
}

function checkSegment(part: string, text: string): void {
  if (!segment.test(part) || part.includes("..") || part.endsWith(".") || device.test(part)) {
    throw refuse(text, part === "" ? "a part of it is empty" : `"${part}" cannot be part of a name`);
  }
}
