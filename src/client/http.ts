/** One request to a hearth server, and its errors as HearthError. */
import type { ErrorCode } from "../error.ts";
import { errorCodes, HearthError, isAbort, toHearthError } from "../error.ts";

export interface ClientOptions {
  /** E.g. `http://127.0.0.1:11535`. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** `body` undefined: a GET. Throws what the server answered, `offline` when none does, `aborted`. */
export type Send = (path: string, body?: object, options?: CallOptions) => Promise<Response>;

export function createSend({ baseUrl, apiKey, fetch = globalThis.fetch }: ClientOptions): Send {
  const base = baseUrl.replace(/\/+$/, "");
  const headers = {
    "content-type": "application/json",
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  return async (path, body, { signal } = {}) => {
    let response: Response;
    try {
      response = await fetch(base + path, {
        headers,
        ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted || isAbort(error))
        throw new HearthError("aborted", "The request was cancelled.", { cause: error });
      throw new HearthError("offline", `No server answers at ${base}.`, {
        hint: "Start one with `hearth serve`.",
        cause: error,
      });
    }
    if (!response.ok) throw await readError(response);
    return response;
  };
}

/** The parsed JSON of a whole answer. */
export async function readJson(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch (error) {
    if (isAbort(error)) throw toHearthError(error);
    throw new HearthError("bad_request", `What answers at ${response.url} is not a hearth server.`, { cause: error });
  }
}

/** The bytes of a streamed answer. */
export function bodyOf(response: Response): ReadableStream<Uint8Array> {
  if (!response.body) throw new HearthError("engine_failed", "The server sent no answer.", { hint: "Try again." });
  return response.body;
}

async function readError(response: Response): Promise<HearthError> {
  const text = await response.text().catch(() => "");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return (
    toError(body, response.status) ??
    new HearthError(codeOf(response.status), `The server answered ${response.status}.`)
  );
}

/** The error in a body or frame: OpenAI's `{error: {message, code}}` or Ollama's `{error: text}`. Else undefined. */
export function toError(body: unknown, status = 500): HearthError | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  // The server's message ends with its hint.
  if (typeof error === "string") return new HearthError(codeOf(status, error), error, { hint: "" });
  if (typeof error !== "object" || error === null || !("message" in error)) return undefined;
  const code = "code" in error ? String(error.code) : "";
  return new HearthError(wordOf(code) ?? codeOf(status), String(error.message), { hint: "" });
}

const aliases: Readonly<Record<string, ErrorCode>> = {
  context_length_exceeded: "context_too_long",
  invalid_api_key: "unauthorized",
  internal_error: "internal",
};

function wordOf(code: string): ErrorCode | undefined {
  if (Object.hasOwn(aliases, code)) return aliases[code];
  return Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : undefined;
}

/** The first code of the table with this status; statuses of other servers count by their hundreds. */
function codeOf(status: number, message = ""): ErrorCode {
  if (status === 404) return message.startsWith("model ") ? "model_not_found" : "not_found";
  const known = (Object.keys(errorCodes) as ErrorCode[]).find((code) => errorCodes[code].status === status);
  if (known !== undefined && status !== 500) return known;
  return status >= 500 ? "engine_failed" : "bad_request";
}
