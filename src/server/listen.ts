/** A socket for the app. Prints nothing. */
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { HearthError } from "../error.ts";
import type { App } from "./app.ts";

export interface ListenOptions {
  readonly app: Pick<App, "fetch">;
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
}

export interface Listener {
  /** `http://127.0.0.1:11535`, without a slash at the end. */
  readonly url: string;
  readonly address: { readonly host: string; readonly port: number };
  /** Closes the socket and waits for what is being sent; connections that idle are closed at once. */
  close(): Promise<void>;
  /** Closes every connection now. */
  destroy(): void;
}

const maxHeaderSize = 16 * 1024;
const headersTimeoutMs = 10_000;
/** Headers and body together. */
const requestTimeoutMs = 300_000;
const idleTimeoutMs = 30_000;

/** Throws `port_in_use`, or `usage` for an address this machine does not have. */
export async function listen({ app, host, port }: ListenOptions): Promise<Listener> {
  const server = createServer(
    {
      maxHeaderSize,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: headersTimeoutMs / 2,
    },
    getRequestListener(
      async (request, { outgoing }) => await app.fetch(request, { destroy: () => void outgoing.destroy() }),
      { overrideGlobalObjects: false, errorHandler: refuseRequest },
    ),
  );
  await bind(server, host.replace(/^\[|\]$/g, ""), port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${bound}`,
    address: { host, port: bound },
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      await closed;
    },
    destroy: () => server.closeAllConnections(),
  };
}

async function bind(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(bindError(error, host, port)));
    server.listen({ host, port }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

function bindError(error: Error, host: string, port: number): HearthError {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE")
    return new HearthError("port_in_use", `Port ${port} on ${host} is in use.`, { cause: error });
  if (code === "EACCES") {
    const hint = "Choose a port from 1024 up with --port.";
    return new HearthError("usage", `Port ${port} on ${host} may not be used by this user.`, { cause: error, hint });
  }
  const hint = "Give an address of this machine with --host.";
  return new HearthError("usage", `The address ${host} cannot be bound.`, { cause: error, hint });
}

/** A request line or Host header that is none; anything else has been answered by the app. */
function refuseRequest(): Response {
  const error = { message: "The request is not valid HTTP.", type: "invalid_request_error", param: null, code: null };
  return new Response(JSON.stringify({ error }), { status: 400, headers: { "content-type": "application/json" } });
}
