export type ErrorCode =
  | "bad_request"
  | "context_too_long"
  | "unsupported_option"
  | "unsupported_capability"
  | "grammar_invalid"
  | "template_failed"
  | "usage"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "model_not_found"
  | "method_not_allowed"
  | "conflict"
  | "body_too_large"
  | "unsupported_media_type"
  | "model_malformed"
  | "model_unsupported"
  | "hash_mismatch"
  | "pull_failed"
  | "offline"
  | "disk_full"
  | "out_of_memory"
  | "queue_full"
  | "too_many_requests"
  | "shutting_down"
  | "engine_missing"
  | "engine_failed"
  | "engine_load_failed"
  | "aborted"
  | "port_in_use"
  | "unsafe_bind"
  | "internal";

/** The table of error codes: code → HTTP status and default hint. Dialects turn a code into their wire shape. */
export const errorCodes: Readonly<Record<ErrorCode, { readonly status: number; readonly hint: string }>> = {
  // The caller's mistakes.
  bad_request: { status: 400, hint: "" },
  context_too_long: {
    status: 400,
    hint: "Shorten the prompt, load the model with a larger --context, or choose an overflow policy (truncate-oldest, truncate-middle).",
  },
  unsupported_option: { status: 400, hint: "Leave the option out, or choose another engine." },
  unsupported_capability: { status: 400, hint: "Use `hearth show MODEL` to see what a model can do." },
  grammar_invalid: { status: 400, hint: "Simplify the schema; see the message for the keyword that is not supported." },
  template_failed: { status: 400, hint: "The chat template of the model rejected these messages." },
  usage: { status: 400, hint: "Run `hearth help` for the commands and flags." },
  unauthorized: { status: 401, hint: "Send the key as `Authorization: Bearer KEY`." },
  forbidden: {
    status: 403,
    hint: "Only local hosts and listed origins may call this server; see --allow-host and --allow-origin.",
  },
  not_found: { status: 404, hint: "" },
  model_not_found: { status: 404, hint: "`hearth list` shows the installed models, `hearth pull NAME` fetches one." },
  method_not_allowed: { status: 405, hint: "" },
  conflict: { status: 409, hint: "" },
  body_too_large: { status: 413, hint: "Send a smaller body, or raise --body-limit." },
  unsupported_media_type: { status: 415, hint: "Send JSON with `Content-Type: application/json`." },
  // Model files and the store.
  model_malformed: { status: 422, hint: "The file is damaged or not a model; fetch it again, or run `hearth verify`." },
  model_unsupported: { status: 422, hint: "" },
  hash_mismatch: {
    status: 502,
    hint: "The download was damaged or the source changed. Nothing was installed; try again.",
  },
  pull_failed: { status: 502, hint: "Check the network and start again: the pull resumes where it stopped." },
  offline: { status: 502, hint: "No source answered. Check the network, or give a path to a file you already have." },
  disk_full: {
    status: 507,
    hint: "Free some space (`hearth rm MODEL`), or set HEARTH_DATA to a folder on another disk.",
  },
  // Capacity.
  out_of_memory: {
    status: 503,
    hint: "Try a smaller quantization or --context, or stop another model with `hearth stop`.",
  },
  too_many_requests: { status: 429, hint: "Send more when answers have come, or try again later." },
  queue_full: { status: 503, hint: "Try again later, or raise --queue." },
  shutting_down: { status: 503, hint: "The server is stopping; try again later." },
  // Engines.
  engine_missing: { status: 503, hint: "Install it with `hearth engines add`." },
  engine_failed: { status: 500, hint: "The engine was stopped and is loaded again with the next request." },
  engine_load_failed: { status: 500, hint: "" },
  // Ours.
  aborted: { status: 499, hint: "" },
  port_in_use: { status: 500, hint: "Choose another with --port, or stop the program that uses it." },
  unsafe_bind: { status: 500, hint: "Set a key with --api-key-file or HEARTH_API_KEY, or bind a loopback address." },
  internal: { status: 500, hint: "This is a bug in hearth; please report it with the id." },
};

/** Facts about an error, safe to show to a caller: field names, byte offsets, token counts. No prompts, no keys. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface ErrorOptions {
  readonly hint?: string | undefined;
  readonly details?: ErrorDetails | undefined;
  readonly cause?: unknown;
  readonly retryAfterSeconds?: number | undefined;
}

/** The one error class. The message says what happened with the real value, the hint says what to do. */
export class HearthError extends Error {
  override readonly name = "HearthError";
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: ErrorDetails;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? errorCodes[code].hint;
    this.details = options.details ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return errorCodes[this.code].status;
  }
}

/** Plain data that survives a process boundary. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details: ErrorDetails;
}

export function serializeError(error: unknown): SerializedError {
  const { code, message, hint, details } = toHearthError(error);
  return { code, message, hint, details };
}

export function deserializeError(data: SerializedError): HearthError {
  return new HearthError(data.code, data.message, { hint: data.hint, details: data.details });
}

/** Wraps anything thrown; abort and disk-full errors of Node get their own codes. */
export function toHearthError(error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  if (isAbort(error)) return new HearthError("aborted", "The request was cancelled.", { cause: error });
  const code = errorNumber(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === "ENOSPC" || code === "EDQUOT")
    return new HearthError("disk_full", "The disk is full.", { cause: error });
  return new HearthError("internal", message, { cause: error });
}

export function isAbort(error: unknown): boolean {
  if (error instanceof HearthError) return error.code === "aborted";
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

function errorNumber(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return "code" in error && typeof error.code === "string" ? error.code : errorNumber(error.cause);
}
