/** The server without a socket: a request in, a response out. */
import { randomUUID } from "node:crypto";
import type { Dialect, Route } from "../dialects/route.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Auth } from "./auth.ts";
import { createAuth } from "./auth.ts";
import { addCorsHeaders } from "./cors.ts";
import type { AccessRecord, Connection, ErrorRecord, Kernel } from "./exchange.ts";
import { answer } from "./exchange.ts";
import { guardHearth } from "./guard.ts";
import { createOwnRoutes } from "./health.ts";
import type { HostRules } from "./hosts.ts";
import { createHostRules } from "./hosts.ts";
import { createMetrics } from "./metrics.ts";
import { createRouteTable } from "./router.ts";
import type { ServerState } from "./state.ts";
import { createState } from "./state.ts";

export interface AppOptions {
  readonly hearth: Hearth;
  readonly dialects: readonly Dialect[];
  /** Default: from the settings of hearth. */
  readonly auth?: Auth;
  /** Default: from the settings of hearth. */
  readonly hosts?: HostRules;
  readonly version?: string;
  readonly onAccess?: (record: AccessRecord) => void;
  readonly onError?: (record: ErrorRecord) => void;
  /** Comment in a quiet event stream. Default 15 s. */
  readonly keepAliveMs?: number;
  /** A reader that takes nothing for so long is cut off. Default 60 s. */
  readonly stallMs?: number;
}

export interface App {
  /** Never rejects. */
  fetch(request: Request, connection?: Connection): Promise<Response>;
  readonly routes: readonly Route[];
  readonly state: ServerState;
}

/** Throws `usage` for settings that cannot be. */
export function createApp(options: AppOptions): App {
  const { dialects, version = "unknown" } = options;
  const { settings, runtime } = options.hearth;
  const state = createState();
  const metrics = createMetrics(runtime);
  const own = createOwnRoutes({ state, metrics, runtime, version });
  const kernel: Kernel = {
    hearth: metrics.observe(guardHearth(options.hearth)),
    dialects,
    auth: options.auth ?? createAuth(settings),
    hosts: options.hosts ?? createHostRules(settings),
    table: createRouteTable([
      ...own.map((route) => ({ route, dialect: undefined })),
      ...dialects.flatMap((dialect) => dialect.routes.map((route) => ({ route, dialect }))),
    ]),
    state,
    metrics,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    stallMs: options.stallMs ?? 60_000,
    onAccess: options.onAccess,
    onError: options.onError,
  };
  return {
    routes: [...own, ...dialects.flatMap(({ routes }) => routes)],
    state,
    async fetch(request, connection) {
      const path = new URL(request.url).pathname;
      const exchange = {
        id: randomUUID(),
        request,
        path,
        match: kernel.table.find(request.method, path),
        running: state.begin(request.signal),
        connection,
        startedAt: performance.now(),
      };
      const response = await answer(kernel, exchange);
      addHeaders(response.headers, exchange.id);
      addCorsHeaders(response.headers, kernel.hosts.allowedOrigin(request));
      if (state.status === "draining") response.headers.set("connection", "close");
      if (request.method !== "HEAD") return response;
      await response.body?.cancel();
      return new Response(null, response);
    },
  };
}

function addHeaders(headers: Headers, id: string): void {
  headers.set("x-request-id", id);
  headers.set("x-content-type-options", "nosniff");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
}
