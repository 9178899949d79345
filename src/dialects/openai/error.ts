/** Errors as OpenAI's clients read them: `{error: {message, type, param, code}}`. */
import type { ErrorCode, HearthError } from "../../error.ts";
import type { SseFrame } from "../route.ts";

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** Where OpenAI has a word of its own. */
const codes: Partial<Readonly<Record<ErrorCode, string | null>>> = {
  bad_request: null,
  context_too_long: "context_length_exceeded",
  unauthorized: "invalid_api_key",
  internal: "internal_error",
};

const params: Partial<Readonly<Record<ErrorCode, string>>> = { model_not_found: "model", context_too_long: "messages" };

export function errorBody(error: HearthError, id: string): ErrorBody {
  const field = error.details["field"];
  const code = codes[error.code];
  return {
    error: {
      message: messageOf(error, id),
      type: typeOf(error),
      param: typeof field === "string" ? field : (params[error.code] ?? null),
      code: code === undefined ? error.code : code,
    },
  };
}

export function errorFrame(error: HearthError, id: string): SseFrame {
  return { data: JSON.stringify(errorBody(error, id)) };
}

function messageOf(error: HearthError, id: string): string {
  const message = error.code === "internal" ? `${error.message} (id ${id})` : error.message;
  return error.hint === "" ? message : `${message} ${error.hint}`;
}

function typeOf(error: HearthError): string {
  if (error.code === "unauthorized") return "authentication_error";
  if (error.code === "forbidden") return "permission_error";
  if (error.code === "too_many_requests") return "rate_limit_error";
  return error.status >= 500 ? "server_error" : "invalid_request_error";
}
