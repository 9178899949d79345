/** The server's own routes: is it well, what has it done. */
import type { Route } from "../dialects/route.ts";
import type { Metrics } from "./metrics.ts";
import type { ServerState } from "./state.ts";

export const healthPath = "/health";

export interface OwnRouteOptions {
  readonly state: ServerState;
  readonly metrics: Metrics;
  readonly version: string;
}

export function createOwnRoutes({ state, metrics, version }: OwnRouteOptions): readonly Route[] {
  return [
    {
      method: "GET",
      path: healthPath,
      access: "public",
      async handle() {
        const status = state.status === "ok" ? 200 : 503;
        return { kind: "json", status, body: { status: state.status, version } };
      },
    },
    {
      method: "GET",
      path: "/metrics",
      access: "models:read",
      async handle() {
        const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
        return { kind: "text", body: metrics.text(), headers };
      },
    },
  ];
}
