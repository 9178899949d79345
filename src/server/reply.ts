/** Replies of dialects → responses. */
import type { Dialect, Reply } from "../dialects/route.ts";
import type { HearthError } from "../error.ts";
import { encodeNdjson, ndjsonType } from "./ndjson.ts";
import { encodeSse, sseKeepAlive, sseType } from "./sse.ts";
import type { StreamEnd } from "./stream.ts";
import { createStream } from "./stream.ts";

export interface ReplyContext {
  readonly id: string;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
  readonly keepAliveMs: number;
  readonly stallMs: number;
  /** Records the failure of a stream; undefined when the client has left. */
  readonly onError: (error: unknown) => HearthError | undefined;
  readonly onEnd: (end: StreamEnd) => void;
}

type Streamed = Extract<Reply, { frames: unknown }>;

export function isStreamed(reply: Reply): reply is Streamed {
  return "frames" in reply;
}

export function toResponse(reply: Exclude<Reply, Streamed>): Response {
  if (reply.kind === "bytes") {
    const { status = 200, headers } = reply;
    return new Response(new Uint8Array(reply.body), { status, headers: { "content-type": reply.type, ...headers } });
  }
  const type = reply.kind === "json" ? "application/json" : "text/plain; charset=utf-8";
  const body = reply.kind === "json" ? JSON.stringify(reply.body) : reply.body;
  return new Response(body, { status: reply.status ?? 200, headers: { "content-type": type, ...reply.headers } });
}

export function toStreamResponse(reply: Streamed, context: ReplyContext): Response {
  if (reply.kind === "byte-stream") return toByteResponse(reply, context);
  const { id, dialect, onError, ...options } = context;
  const sse = reply.kind === "sse";
  const frames = sse ? encoded(reply.frames, encodeSse) : encoded(reply.frames, encodeNdjson);
  const body = createStream({
    ...options,
    frames,
    keepAlive: sse ? sseKeepAlive : undefined,
    onError(error) {
      const known = onError(error);
      return known && encodeErrorFrame(dialect.errorFrame(known, id), sse);
    },
  });
  const headers = { "content-type": sse ? sseType : ndjsonType, "x-accel-buffering": "no", ...reply.headers };
  return new Response(body, { headers });
}

function toByteResponse(
  { frames, type, headers }: Extract<Reply, { kind: "byte-stream" }>,
  { onError, ...options }: ReplyContext,
): Response {
  const body = createStream({
    ...options,
    frames: frames[Symbol.asyncIterator](),
    keepAlive: undefined,
    breaks: true,
    onError(error) {
      onError(error);
      return undefined;
    },
  });
  return new Response(body, { headers: { "content-type": type, "x-accel-buffering": "no", ...headers } });
}

/** Closes the frames of a reply that nobody will read. */
export async function discard(reply: Reply): Promise<void> {
  if (isStreamed(reply)) await reply.frames[Symbol.asyncIterator]().return?.();
}

function encodeErrorFrame(frame: object, sse: boolean): string {
  if (!sse) return encodeNdjson(frame);
  return "data" in frame && typeof frame.data === "string"
    ? encodeSse({ ...frame, data: frame.data })
    : encodeSse({ data: JSON.stringify(frame) });
}

function encoded<T>(frames: AsyncIterable<T>, encode: (frame: T) => string): AsyncIterator<string> {
  const source = frames[Symbol.asyncIterator]();
  return {
    async next() {
      const result = await source.next();
      return result.done === true ? result : { done: false, value: encode(result.value) };
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}
