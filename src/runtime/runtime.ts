/** What is loaded and who runs next, as one object; `contract.ts` says what it promises. */
import type { EngineChoice, Engines } from "../engines/contract.ts";
import { HearthError } from "../error.ts";
import { systemMemory } from "../hardware/memory.ts";
import type { ModelLibrary } from "../models/contract.ts";
import { raceAbort } from "../util/abort.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { AcquireRequest, Lease, Plan, Runtime } from "./contract.ts";
import type { Victims } from "./evict.ts";
import { createInOrder } from "./in-order.ts";
import type { MemoryState } from "./fit.ts";
import { type Instance, isIdle } from "./instance.ts";
import { checkLoadOptions, serves } from "./load-options.ts";
import { createLookUp } from "./look-up.ts";
import type { Waiter } from "./queue.ts";
import type { Wanted } from "./room.ts";
import { type RuntimeSettings, Scheduler } from "./scheduler.ts";

export interface RuntimeOptions {
  readonly library: ModelLibrary;
  readonly engines: Engines;
  readonly settings: RuntimeSettings;
  /** What this machine has free; measured anew whenever room is needed. Default: the system's own figures. */
  readonly memory?: () => MemoryState;
  readonly clock?: Clock;
}

export function createRuntime(options: RuntimeOptions): Runtime {
  const { library, engines, settings, memory = systemMemory, clock = systemClock } = options;
  const scheduler = new Scheduler({ engines, settings, memory, clock });
  const closed = new HearthError("shutting_down", "No new requests are taken: hearth is stopping.");
  let open = true;
  let disposed: Promise<void> | undefined;
  let sequence = 0;

  // Nobody overtakes who asked for the same model before and waits for a choice.
  const inOrder = createInOrder();
  const { lookUp, lookUpLoaded } = createLookUp({ library, engines, settings, scheduler });
  /** The name that a loaded model goes by, whose files may be gone by now. */
  const nameOf = async (text: string): Promise<string> =>
    scheduler.status().some(({ name }) => name === text) ? text : (await library.resolve(text)).name;

  const wait = async (request: AcquireRequest, wanted: Wanted, arrival: Arrival): Promise<Lease> => {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const waiter: Waiter = {
      ...wanted,
      ...arrival,
      key: wanted.model.name,
      tenant: request.tenant ?? "",
      priority: request.priority ?? "interactive",
      keepAliveMs: request.keepAliveMs ?? settings.keepAlive,
      onProgress: request.onProgress,
      resolve,
      reject,
    };
    const onAbort = (): void => {
      scheduler.abandon(waiter, abortError(request.signal));
    };
    request.signal?.addEventListener("abort", onAbort, { once: true });
    scheduler.arrived(waiter);
    try {
      const lease = await promise;
      if (!request.signal?.aborted) return lease;
      lease.release();
      throw abortError(request.signal);
    } finally {
      request.signal?.removeEventListener("abort", onAbort);
    }
  };

  return {
    async acquire(request) {
      if (!open) {
        scheduler.countRefusal();
        throw closed;
      }
      checkRequest(request);
      const arrival: Arrival = { sequence: sequence++, arrivedAt: clock.now() };
      scheduler.arriving();
      let wanted: Wanted;
      try {
        wanted = await raceAbort(
          inOrder(request.model, async () => await lookUpLoaded(request.model, request.load ?? {})),
          request.signal,
        );
        if (disposed) throw closed;
      } catch (error) {
        scheduler.arrived();
        throw request.signal?.aborted ? abortError(request.signal) : error;
      }
      return await wait(request, wanted, arrival);
    },

    async plan(text, requested = {}) {
      checkLoadOptions(requested);
      const wanted = await lookUp(text, requested);
      return toPlan(wanted, scheduler, memory());
    },

    loaded: () => scheduler.status(),

    stop: async (text) => await scheduler.stop(await nameOf(text)),

    sleep: async (text) => {
      await scheduler.sleep(await nameOf(text));
    },

    stats: () => scheduler.stats(),

    totals: () => scheduler.totals(),

    async drain(signal) {
      open = false;
      await raceAbort(scheduler.quiet(), signal);
    },

    async dispose() {
      open = false;
      disposed ??= scheduler.dispose(closed);
      await disposed;
    },
  };
}

interface Arrival {
  readonly sequence: number;
  readonly arrivedAt: number;
}

function checkRequest({ load, keepAliveMs, priority, signal }: AcquireRequest): void {
  if (signal?.aborted) throw abortError(signal);
  checkLoadOptions(load ?? {});
  checkPriority(priority);
  if (keepAliveMs === undefined || keepAliveMs >= 0) return;
  throw new HearthError("bad_request", `keepAliveMs is ${keepAliveMs}; it must be 0 or more.`, {
    details: { field: "keepAliveMs" },
  });
}

function checkPriority(priority: string | undefined): void {
  if (priority === undefined || priority === "interactive" || priority === "batch") return;
  throw new HearthError("bad_request", `priority is ${JSON.stringify(priority)}; it must be interactive or batch.`, {
    details: { field: "priority" },
  });
}

function abortError(signal: AbortSignal | undefined): HearthError {
  const reason: unknown = signal?.reason;
  if (reason instanceof HearthError) return reason;
  return new HearthError("aborted", "The request was cancelled.", { cause: reason });
}

function toPlan(wanted: Wanted, scheduler: Scheduler, { availableBytes }: MemoryState): Plan {
  const { model, info, choice, requested } = wanted;
  const placement = scheduler.place(wanted);
  const common = { model, info, availableBytes, budgetBytes: placement.budget.limitBytes };
  const current = scheduler.current(model.name);
  const served = current && serves(current, model, info, requested);
  const again = served ? scheduler.placeAgain(current) : undefined;
  if (again && current) {
    const { load, estimate } = current;
    const reasons = [...currentReasons(current), ...busyReasons(again)];
    return { ...common, choice: currentChoice(current, reasons), load, estimate, fits: true, ...giveWay(again) };
  }
  const { load, estimate, refusal, victims } = placement;
  const reasons = [...choice.reasons, ...placement.reasons];
  if (served) reasons.push("it is asleep, and would be loaded again: as it was, it does not fit any more");
  else if (current) reasons.push("it is loaded with other options and would be loaded again");
  if (refusal) reasons.push(`${refusal.message} ${refusal.hint}`);
  else reasons.push(...busyReasons(victims));
  const others = refusal ? { evicts: [], putsToSleep: [] } : giveWay(victims);
  return { ...common, choice: { ...choice, reasons }, load, estimate, fits: !refusal, ...others };
}

function giveWay({ sleep, unload }: Victims<Instance>): Pick<Plan, "evicts" | "putsToSleep"> {
  return { evicts: unload.filter(isIdle).map(({ key }) => key), putsToSleep: sleep.map(({ key }) => key) };
}

function busyReasons({ unload }: Victims<Instance>): string[] {
  const busy = unload.filter((instance) => !isIdle(instance)).map(({ key }) => key);
  if (busy.length === 0) return [];
  return [`it would wait until ${busy.join(" and ")} ${busy.length > 1 ? "are" : "is"} idle`];
}

function currentReasons({ choice, loaded, state }: Instance): string[] {
  const engine = loaded?.engine ?? choice.engine;
  const handedOn = engine === choice.engine ? [] : [`${choice.engine} could not load it, so ${engine} did`];
  const asleep = state === "asleep" || state === "dozing";
  return [...choice.reasons, ...handedOn, asleep ? "it is asleep, and wakes for a request" : "it is loaded already"];
}

/** What runs, which is not what was chosen where the chosen engine handed the model on. */
function currentChoice({ choice, loaded }: Instance, reasons: readonly string[]): EngineChoice {
  return { ...choice, engine: loaded?.engine ?? choice.engine, reasons };
}
