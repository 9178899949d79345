/** How a dialect tells the server what it answers to. A dialect turns data into data; only the server writes bytes. */
import type { HearthError } from "../error.ts";
import type { Priority } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";

/** A file of a form. */
export interface UploadedFile {
  /** What the client calls it; never used as a path. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A `multipart/form-data` body: name → values in order. */
export interface FormBody {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly files: ReadonlyMap<string, readonly UploadedFile[]>;
}

export interface RouteRequest {
  /** Parsed JSON, or undefined when there was no body; a `FormBody` on a route that takes forms. */
  readonly body: unknown;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** Aborts when the client leaves or the server gives up. */
  readonly signal: AbortSignal;
  /** Who asks: separates KV caches, and each gets an equal share. */
  readonly tenant: string;
  /** What the headers or the key say, where the body says nothing. */
  readonly priority?: Priority;
}

export interface SseFrame {
  readonly event?: string;
  readonly data: string;
}

export type Reply =
  | {
      readonly kind: "json";
      readonly body: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "text";
      readonly body: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "bytes";
      readonly body: Uint8Array;
      readonly type: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      /** Bytes as they are made. When they fail, the connection breaks: a cut file must not look whole. */
      readonly kind: "byte-stream";
      readonly frames: AsyncIterable<Uint8Array>;
      readonly type: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "sse";
      readonly frames: AsyncIterable<SseFrame>;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "ndjson";
      readonly frames: AsyncIterable<unknown>;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "DELETE";
  /** Hono pattern, e.g. `/v1/models/:model{.+}`. */
  readonly path: string;
  /** Scope a key needs. `public` needs no key; at most three routes of the whole server are public. */
  readonly access: "public" | "infer" | "models:read" | "models:write";
  /** What a request carries; `any`: what its content type says. Default `json`. */
  readonly takes?: "json" | "form" | "any";
  handle(request: RouteRequest, hearth: Hearth): Promise<Reply>;
}

export interface Dialect {
  readonly name: string;
  readonly routes: readonly Route[];
  /** The body that this API's clients expect for an error, with our hint in the message. `id` names a bug of ours. */
  errorBody(error: HearthError, id: string): unknown;
  /** The same, inside a stream that has begun: a frame for `sse`, an object for `ndjson`. */
  errorFrame(error: HearthError, id: string): SseFrame | object;
}
