/** One request and its answer: admit, handle, reply, and what is recorded of it. */
import type { Dialect, Reply, Route } from "../dialects/route.ts";
import { HearthError, isAbort } from "../error.ts";
import type { Priority } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import { raceAbort } from "../util/abort.ts";
import type { Auth, KeyHolder } from "./auth.ts";
import { readJsonBody } from "./body.ts";
import { preflight } from "./cors.ts";
import { errorHeaders, publicError } from "./failure.ts";
import { readFormBody } from "./form.ts";
import { healthPath } from "./health.ts";
import type { HostRules } from "./hosts.ts";
import type { Metrics } from "./metrics.ts";
import { readPriority } from "./priority.ts";
import { discard, isStreamed, toResponse, toStreamResponse } from "./reply.ts";
import type { Match, RouteTable } from "./router.ts";
import type { Running, ServerState } from "./state.ts";
import type { StreamEnd } from "./stream.ts";

/** A request that was answered, for an access log. No prompts, no keys, no query. */
export interface AccessRecord {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Pattern of the route. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly end: StreamEnd;
}

/** An error of ours, whose text no client saw. */
export interface ErrorRecord {
  readonly id: string;
  readonly route: string;
  readonly error: unknown;
}

/** What the socket can do for the app. */
export interface Connection {
  /** Closes it at once. */
  destroy(): void;
}

/** What all requests of one app share. */
export interface Kernel {
  readonly hearth: Hearth;
  readonly dialects: readonly Dialect[];
  readonly auth: Auth;
  readonly hosts: HostRules;
  readonly table: RouteTable;
  readonly state: ServerState;
  readonly metrics: Metrics;
  readonly keepAliveMs: number;
  readonly stallMs: number;
  readonly onAccess: ((record: AccessRecord) => void) | undefined;
  readonly onError: ((record: ErrorRecord) => void) | undefined;
}

export interface Exchange {
  readonly id: string;
  readonly request: Request;
  readonly path: string;
  readonly match: Match | undefined;
  readonly running: Running;
  readonly connection: Connection | undefined;
  readonly startedAt: number;
}

/** Never throws: what goes wrong is an answer too. */
export async function answer(kernel: Kernel, exchange: Exchange): Promise<Response> {
  const { request, path } = exchange;
  try {
    kernel.hosts.check(request);
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) {
      finish(kernel, exchange, { status: 204, end: "complete" });
      return preflight(request, kernel.table.methods(path));
    }
    const reply = await handle(kernel, exchange, admit(kernel, exchange));
    if (isStreamed(reply)) return stream(kernel, exchange, reply);
    const response = toResponse(reply);
    finish(kernel, exchange, { status: response.status, end: "complete" });
    return response;
  } catch (error) {
    return fail(kernel, exchange, error);
  }
}

interface Admitted {
  readonly match: Match;
  readonly tenant: string;
  readonly priority: Priority | undefined;
}

/** Throws what forbids the request. The order counts: who is not known learns nothing about routes. */
function admit({ auth, state, table }: Kernel, { request, match, path }: Exchange): Admitted {
  const open = match?.route.access === "public";
  const caller: KeyHolder = open ? { tenant: "public" } : auth.authenticate(request.headers);
  if (state.status === "draining" && match?.route.path !== healthPath) {
    throw new HearthError("shutting_down", "The server is stopping.");
  }
  if (match) return { match, tenant: caller.tenant, priority: readPriority(request.headers) ?? caller.priority };
  const methods = table.methods(path);
  if (methods.length === 0) throw new HearthError("not_found", "There is nothing at this path.");
  throw new HearthError("method_not_allowed", "This path does not take that method.", {
    hint: `It takes ${methods.join(", ")}.`,
    details: { allow: methods },
  });
}

async function handle({ hearth }: Kernel, exchange: Exchange, { match, tenant, priority }: Admitted): Promise<Reply> {
  const { request, running } = exchange;
  const { route, params } = match;
  const { signal } = running;
  const hasBody = route.method === "POST" || route.method === "DELETE";
  const read = takesForm(route, request) ? readFormBody : readJsonBody;
  const body = hasBody ? await raceAbort(read(request, hearth.settings.bodyLimit), signal) : undefined;
  const query = new URL(request.url).searchParams;
  const caller = { tenant, ...(priority && { priority }) };
  const work = route.handle({ body, params, query, headers: request.headers, signal, ...caller }, hearth);
  try {
    return await raceAbort(work, signal);
  } catch (error) {
    // An answer that comes after the client has left must still let go of its model.
    if (signal.aborted) work.then(discard).catch(() => {});
    throw error;
  }
}

function stream(kernel: Kernel, exchange: Exchange, reply: Extract<Reply, { frames: unknown }>): Response {
  const { running, connection } = exchange;
  return toStreamResponse(reply, {
    id: exchange.id,
    dialect: dialectOf(kernel, exchange),
    signal: running.signal,
    keepAliveMs: kernel.keepAliveMs,
    stallMs: kernel.stallMs,
    onError(error) {
      const known = record(kernel, exchange, error);
      return known.code === "aborted" ? undefined : known;
    },
    onEnd(end) {
      if (end !== "complete") running.abort(new HearthError("aborted", "The reader is gone."));
      const isCut = end === "failed" && reply.kind === "byte-stream";
      if (end === "stalled" || isCut) connection?.destroy();
      finish(kernel, exchange, { status: 200, end });
    },
  });
}

function fail(kernel: Kernel, exchange: Exchange, error: unknown): Response {
  const known = record(kernel, exchange, error);
  const body = dialectOf(kernel, exchange).errorBody(known, exchange.id);
  finish(kernel, exchange, { status: known.status, end: known.code === "aborted" ? "left" : "failed" });
  return toResponse({ kind: "json", body, status: known.status, headers: errorHeaders(known) });
}

/** What the client is told; our own bugs go to the log. */
function record({ onError }: Kernel, { id, match, running }: Exchange, error: unknown): HearthError {
  // Whatever an abort looked like on its way through the layers, its reason says what it was.
  const cause: unknown = isAbort(error) && running.signal.aborted ? running.signal.reason : error;
  const known = publicError(cause);
  if (known.code === "internal") onError?.({ id, route: match?.route.path ?? unmatched, error });
  return known;
}

const unmatched = "unmatched";

function finish(
  { metrics, onAccess }: Kernel,
  { id, request, path, match, running, startedAt }: Exchange,
  { status, end }: Pick<AccessRecord, "status" | "end">,
): void {
  running.end();
  const route = match?.route.path ?? unmatched;
  const durationMs = performance.now() - startedAt;
  metrics.requestFinished({ route, status, durationMs });
  onAccess?.({ id, method: request.method, path, route, status, durationMs, end });
}

function takesForm({ takes = "json" }: Route, { headers }: Request): boolean {
  return takes === "form" || (takes === "any" && /^multipart\//i.test(headers.get("content-type") ?? ""));
}

/** Where no route says whose the path is, its beginning does. */
function dialectOf({ dialects }: Kernel, { match, path }: Exchange): Dialect {
  const named = path === "/" || path.startsWith("/api/") ? "ollama" : path.startsWith("/v2") ? "kserve" : "openai";
  const dialect = match?.dialect ?? dialects.find(({ name }) => name === named) ?? dialects[0];
  if (!dialect) throw new RangeError("A server needs a dialect.");
  return dialect;
}
