/** The server's own routes: is it well, what has it done; and what no dialect has a word for. */
import type { Route } from "../dialects/route.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { Metrics } from "./metrics.ts";
import { sleepRoute } from "./sleep.ts";
import type { ServerState } from "./state.ts";
import { toStats } from "./stats.ts";

export const healthPath = "/health";

export interface OwnRouteOptions {
  readonly state: ServerState;
  readonly metrics: Metrics;
  readonly runtime: Runtime;
  readonly version: string;
}

export function createOwnRoutes({ state, metrics, runtime, version }: OwnRouteOptions): readonly Route[] {
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
    {
      method: "GET",
      path: "/stats",
      access: "models:read",
      handle: async () => ({ kind: "json", body: toStats(runtime) }),
    },
    sleepRoute,
  ];
}
