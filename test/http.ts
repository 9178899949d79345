/** Runs a suite of HTTP tests twice: in memory, and over a real socket. */
import { request as httpRequest } from "node:http";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe } from "vitest";
import type { App, AppOptions } from "../src/server/app.ts";
import { createApp } from "../src/server/app.ts";
import type { Listener } from "../src/server/listen.ts";
import { listen } from "../src/server/listen.ts";

export interface HttpInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON with its content type, unless it is text. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface Http {
  readonly over: "memory" | "socket";
  readonly app: App;
  /** The path goes out as it is: `//v1` and `/v1/../x` are not tidied up. */
  request(path: string, init?: HttpInit): Promise<Response>;
}

/** `options` is called once for each of the two. */
export function describeHttp(name: string, options: () => AppOptions, suite: (http: Http) => void): void {
  describe(`${name}, in memory`, () => {
    const app = createApp(options());
    suite({ over: "memory", app, request: async (path, init) => await requestApp(app, path, init) });
  });
  describe(`${name}, over a socket`, () => {
    const app = createApp(options());
    let listener: Listener | undefined;
    beforeAll(async () => {
      listener = await listen({ app, host: "127.0.0.1", port: 0 });
    });
    afterAll(async () => {
      listener?.destroy();
      await listener?.close();
    });
    const request: Http["request"] = async (path, init) => {
      if (!listener) throw new Error("the server does not listen yet");
      return await requestSocket(listener.address.port, path, init);
    };
    suite({ over: "socket", app, request });
  });
}

export async function requestApp(app: App, path: string, init: HttpInit = {}): Promise<Response> {
  const { method, headers, body } = prepare(init);
  const url = `http://localhost${path}`;
  const signal = init.signal ?? null;
  // As bytes: for text, Request would add a content type that nobody asked for.
  const bytes = body === undefined ? {} : { body: new TextEncoder().encode(body) };
  return await app.fetch(new Request(url, { method, headers, signal, ...bytes }));
}

/** With node:http, since fetch tidies paths and sets Host and Origin itself. */
export async function requestSocket(port: number, path: string, init: HttpInit = {}): Promise<Response> {
  const { method, headers, body } = prepare(init);
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return await new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: "127.0.0.1", port, path, method, headers: { ...length, ...headers }, agent: false, signal: init.signal },
      (incoming) => {
        const status = incoming.statusCode ?? 0;
        const none = status === 204 || method === "HEAD";
        if (none) incoming.resume();
        const stream = none ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
        resolve(new Response(stream, { status, headers: toHeaders(incoming.rawHeaders) }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function prepare(init: HttpInit): { method: string; headers: Record<string, string>; body: string | undefined } {
  const { body } = init;
  const method = init.method ?? (body === undefined ? "GET" : "POST");
  if (body === undefined) return { method, headers: { ...init.headers }, body };
  if (typeof body === "string") return { method, headers: { ...init.headers }, body };
  return { method, headers: { "content-type": "application/json", ...init.headers }, body: JSON.stringify(body) };
}

function toHeaders(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? "", raw[i + 1] ?? "");
  return headers;
}
