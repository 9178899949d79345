/** `GET /stats`: what `hearth top` shows. */
import type { ModelStats, ServerStats } from "../client/types.ts";
import type { LoadedStatus, ModelTotals, Runtime } from "../runtime/contract.ts";

/** Engines that work say how they are twice a second: figures that are older than this are still true. */
const freshMs = 1000;

export function toStats(runtime: Runtime, nowMs: number = performance.now()): ServerStats {
  const totals = new Map(runtime.totals().map((row) => [row.name, row]));
  return { atMs: nowMs, models: runtime.loaded().map((row) => toModel(row, totals.get(row.name), nowMs)) };
}

/** Requests in the steps of the engine, and those that wait for it, in our queue or in its own. */
export function requestsOf({ running, waiting, stats }: LoadedStatus): { running: number; waiting: number } {
  return { running: stats?.running ?? running, waiting: waiting + (stats?.waiting ?? 0) };
}

/** One that is on its way out may have a successor of the same name, whose figures these are. */
export function isInMemory({ state }: Pick<LoadedStatus, "state">): boolean {
  return state === "ready" || state === "asleep";
}

function toModel(status: LoadedStatus, totals: ModelTotals | undefined, nowMs: number): ModelStats {
  const { name, state, engine, device, memory, stats } = status;
  const { ramBytes, vramBytes } = memory;
  const common = { name, state, engine, device, ...requestsOf(status), ramBytes, vramBytes };
  if (!isInMemory(status) || !totals) return common;
  const { atMs = nowMs, blocks, diskBytes } = stats ?? {};
  return {
    ...common,
    ...(totals.counters && { counters: { ...totals.counters, atMs: nowMs - atMs < freshMs ? atMs : nowMs } }),
    // One that sleeps has given its cache back.
    ...(blocks && state === "ready" && { blocks }),
    ...(diskBytes !== undefined && { diskBytes }),
    latency: totals.latency,
  };
}
