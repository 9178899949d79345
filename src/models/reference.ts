import { statSync } from "node:fs";
import { HearthError } from "../error.ts";
import type { ModelReference } from "../spec/model.ts";
import { checkFile, checkName, checkRepo, checkRevision, checkTag, refuse } from "./names.ts";

/**
 * What a person types to name a model → parsed words. Throws `bad_request`, naming the part that is wrong.
 *
 * `name[:tag]` · `hf:owner/repo[/file][@revision]` · `hf:owner/repo:QUANT`, `hf.co/owner/repo:QUANT` ·
 * `ollama:name[:tag]` · `npm:package[@version][/file]` · `https://…` · a path: `./x`, `/x`, `~/x`, or the name of a
 * model file that exists.
 */
export function parseReference(text: string, isFile: (path: string) => boolean = isModelFile): ModelReference {
  const trimmed = text.trim();
  if (trimmed === "") throw refuse(text, "it is empty");
  if (trimmed.length > 2048) throw refuse(`${trimmed.slice(0, 40)}…`, "it is longer than 2,048 characters");
  // oxlint-disable-next-line no-control-regex -- these are the characters that must not pass
  if (/[\u0000-\u001f\u007f]/.test(trimmed)) throw refuse(JSON.stringify(trimmed), "it has control characters");
  if (/^https?:\/\//i.test(trimmed)) return parseUrl(trimmed);
  if (isPathLike(trimmed)) return { kind: "path", path: trimmed };
  const prefix = /^(hf:|hf\.co\/|huggingface\.co\/|ollama:|npm:)/i.exec(trimmed)?.[0];
  if (prefix !== undefined) return parsePrefixed(prefix.toLowerCase(), trimmed.slice(prefix.length));
  if (modelExtension.test(trimmed) && isFile(trimmed)) return { kind: "path", path: trimmed };
  return { kind: "name", ...parseName(trimmed) };
}

/** Parses `name[:tag]` strictly; without a tag it is `latest`. */
export function parseName(text: string): { name: string; tag: string } {
  const [name = "", tag = "latest", ...rest] = text.split(":");
  if (rest.length > 0) throw refuse(text, "it has more than one tag");
  return { name: checkName(name, text), tag: checkTag(tag, text) };
}

/** The canonical text: `parseReference(formatReference(r))` gives `r` back. */
export function formatReference(reference: ModelReference): string {
  switch (reference.kind) {
    case "name":
      return `${reference.name}:${reference.tag}`;
    case "ollama":
      return `ollama:${reference.name}:${reference.tag}`;
    case "hf": {
      const part = reference.file === undefined ? colon(reference.quantization) : `/${reference.file}`;
      return `hf:${reference.repo}${part}${reference.revision === undefined ? "" : `@${reference.revision}`}`;
    }
    case "npm": {
      const version = reference.version === undefined ? "" : `@${reference.version}`;
      return `npm:${reference.package}${version}${reference.file === undefined ? "" : `/${reference.file}`}`;
    }
    case "https":
      return reference.url;
    default:
      return reference.path;
  }
}

const modelExtension = /\.(gguf|onnx|tflite|safetensors)$/i;

function isModelFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isPathLike(text: string): boolean {
  return /^(\.{0,2}[/\\]|~([/\\]|$)|[a-z]:[/\\])/i.test(text) || text === "." || text === "..";
}

function parseUrl(text: string): ModelReference {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw refuse(text, "it is not a valid URL");
  if (url.username !== "" || url.password !== "") throw refuse(url.host, "a URL must not carry a user or password");
  url.hash = "";
  return { kind: "https", url: url.href };
}

function parsePrefixed(prefix: string, rest: string): ModelReference {
  switch (prefix) {
    case "ollama:":
      return { kind: "ollama", ...parseName(rest) };
    case "npm:":
      return parseNpm(rest);
    default:
      return parseHub(rest);
  }
}

function parseHub(text: string): ModelReference {
  const at = text.lastIndexOf("@");
  const revision = at < 0 ? undefined : checkRevision(text.slice(at + 1), text);
  const [path = "", quantization, ...more] = (at < 0 ? text : text.slice(0, at)).split(":");
  if (more.length > 0) throw refuse(text, "it has more than one quantization");
  const [owner = "", repo = "", ...file] = path.split("/");
  if (quantization !== undefined && file.length > 0) throw refuse(text, "it names a file and a quantization");
  return {
    kind: "hf",
    repo: checkRepo(`${owner}/${repo}`, text),
    ...(file.length > 0 && { file: checkFile(file.join("/"), text) }),
    // `latest` is what clients add to a name without a tag.
    ...(quantization !== undefined &&
      quantization !== "latest" && { quantization: checkTag(quantization, text).toUpperCase() }),
    ...(revision !== undefined && { revision }),
  };
}

const packagePattern = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*/;

function parseNpm(text: string): ModelReference {
  const name = packagePattern.exec(text)?.[0];
  if (name === undefined || name.length > 214 || name.startsWith("-")) {
    throw refuse(text, "it is not the name of an npm package");
  }
  const match = /^(?:@([A-Za-z0-9._+-]{1,64}))?(?:\/(.+))?$/.exec(text.slice(name.length));
  if (!match) throw refuse(text, "after the package only @version and /file may follow");
  const [, version, file] = match;
  return {
    kind: "npm",
    package: name,
    ...(version !== undefined && { version }),
    ...(file !== undefined && { file: checkFile(file, text) }),
  };
}

function colon(text: string | undefined): string {
  return text === undefined ? "" : `:${text}`;
}

/** For callers that must not reach files of this machine, e.g. requests over HTTP. */
export function isPathReference(text: string): boolean {
  try {
    return parseReference(text).kind === "path";
  } catch (error) {
    if (error instanceof HearthError) return false;
    throw error;
  }
}
