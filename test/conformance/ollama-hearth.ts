/** A hearth for tests of the Ollama dialect: scripted answers, and a runtime that remembers what it loaded. */
import { ollama } from "../../src/dialects/ollama/index.ts";
import type { Reply, RouteRequest } from "../../src/dialects/route.ts";
import type { AcquireRequest, Lease, LoadedStatus } from "../../src/runtime/contract.ts";
import type { FakeHearth, FakeHearthOptions } from "../fake-hearth.ts";
import { createFakeHearth } from "../fake-hearth.ts";
import type { FakeModel } from "../fake-library.ts";
import { createFakeLibrary, fakeInfo } from "../fake-library.ts";

export interface OllamaHearth extends FakeHearth {
  readonly acquired: AcquireRequest[];
  readonly statuses: LoadedStatus[];
  released: number;
}

export interface OllamaHearthOptions extends Omit<FakeHearthOptions, "models"> {
  readonly models?: readonly FakeModel[];
  readonly remote?: readonly FakeModel[];
}

const defaults: readonly FakeModel[] = [
  { name: "tiny" },
  { name: "thinker", info: { capabilities: ["generate", "chat", "tools", "thinking"] } },
  { name: "vectors", info: { architecture: "bert", capabilities: ["embed"] } },
];

export function createOllamaHearth(options: OllamaHearthOptions = {}): OllamaHearth {
  const { models = defaults, remote = [] } = options;
  const base = createFakeHearth({ ...options, models: models.map(({ name }) => name) });
  const library = createFakeLibrary(models, { remote });
  const acquired: AcquireRequest[] = [];
  const statuses: LoadedStatus[] = [];
  const hearth: OllamaHearth = {
    ...base,
    library,
    acquired,
    statuses,
    released: 0,
    runtime: {
      ...base.runtime,
      loaded: () => statuses,
      async acquire(request) {
        const model = await library.resolve(request.model);
        acquired.push(request);
        if (!statuses.some(({ name }) => name === model.name)) statuses.push(status(model, request));
        return { release: () => void hearth.released++ } as Lease;
      },
      async stop(name) {
        const index = statuses.findIndex((loaded) => loaded.name === name);
        if (index !== -1) statuses.splice(index, 1);
        return index !== -1;
      },
    },
  };
  return hearth;
}

function status(model: LoadedStatus["model"], { load, keepAliveMs = 300_000 }: AcquireRequest): LoadedStatus {
  return {
    name: model.name,
    model,
    info: fakeInfo(),
    engine: "fake",
    device: "cpu",
    state: "ready",
    contextTokens: load?.contextTokens ?? 2048,
    parallel: 8,
    running: 0,
    waiting: 0,
    memory: { ramBytes: 1000, vramBytes: 24 },
    stats: undefined,
    expiresAt: keepAliveMs === Infinity ? undefined : new Date(Date.UTC(2026, 0, 1) + keepAliveMs),
  };
}

/** Calls a route as the server would. */
export async function callRoute(
  hearth: OllamaHearth,
  endpoint: string,
  body?: unknown,
  signal: AbortSignal = new AbortController().signal,
): Promise<Reply> {
  const [method, path] = endpoint.split(" ");
  const route = ollama.routes.find((item) => item.method === method && item.path === path);
  if (!route) throw new Error(`there is no route ${endpoint}`);
  return await route.handle(routeRequest(body, signal), hearth);
}

export function routeRequest(body?: unknown, signal: AbortSignal = new AbortController().signal): RouteRequest {
  return { body, params: {}, query: new URLSearchParams(), headers: new Headers(), signal, tenant: "alice" };
}

export type Json = Record<string, unknown>;

/** The body of a reply that does not stream. */
export function jsonOf(reply: Reply): Json {
  if (reply.kind !== "json") throw new Error(`the reply is ${reply.kind}`);
  return reply.body as Json;
}

/** The objects of a stream. */
export async function framesOf(reply: Reply): Promise<Json[]> {
  if (reply.kind !== "ndjson") throw new Error(`the reply is ${reply.kind}`);
  return (await Array.fromAsync(reply.frames)) as Json[];
}
