/** Reads a JSON body within its limits, before anything else looks at it. */
import { HearthError } from "../error.ts";
import { formatBytes } from "../util/format.ts";
import { jsonDepth, jsonErrorPosition } from "./json.ts";

const maxDepth = 128;

/** Parsed JSON, undefined when there is no body. Throws `body_too_large`, `unsupported_media_type`, `bad_request`. */
export async function readJsonBody(request: Request, limitBytes: number): Promise<unknown> {
  if (!request.body || request.headers.get("content-length") === "0") return undefined;
  checkType(request.headers);
  const bytes = await readBytes(request, limitBytes);
  if (bytes.length === 0) return undefined;
  const depth = jsonDepth(bytes);
  if (depth > maxDepth) {
    throw new HearthError("bad_request", `The JSON of the body nests ${depth} deep; at most ${maxDepth} is allowed.`);
  }
  const text = decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    // The reason V8 gives repeats a part of the text, which may be private.
    const position = jsonErrorPosition(text);
    const what = position >= text.length ? "ends too early" : "is not JSON";
    throw new HearthError("bad_request", `The body ${what} at position ${position}.`, { details: { position } });
  }
}

/**
 * Only a page that was allowed to may send `application/json`, so a browser must. curl's `-d` says form, and Ollama's
 * documentation shows it like that: without the headers of a browser it is taken for JSON.
 */
function checkType(headers: Headers): void {
  checkEncoding(headers);
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  const fromBrowser = headers.has("origin") || headers.has("sec-fetch-site");
  if (!fromBrowser && (type === "" || type === "application/x-www-form-urlencoded")) return;
  throw new HearthError(
    "unsupported_media_type",
    type === "" ? "The body has no Content-Type." : "The Content-Type of the body is not application/json.",
  );
}

export function checkEncoding(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding === null || encoding === "identity") return;
  throw new HearthError("unsupported_media_type", "The body is compressed; send it as it is.", {
    hint: "Leave Content-Encoding out.",
  });
}

export async function readBytes(request: Request, limitBytes: number): Promise<Buffer> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > limitBytes) throw tooLarge(`${formatBytes(declared)} long`, limitBytes);
  if (!request.body) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    length += chunk.length;
    // Leaving the loop cancels the stream: nothing more is read.
    if (length > limitBytes) throw tooLarge("too long", limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HearthError("bad_request", "The body is not UTF-8.");
  }
}

function tooLarge(what: string, limitBytes: number): HearthError {
  return new HearthError("body_too_large", `The body is ${what}; the limit is ${formatBytes(limitBytes)}.`);
}
