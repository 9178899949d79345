/**
 * Who runs next. Every change of state ends in `#step`, which plays a round: it gives turns, loads and unloads as far as it
 * can. Nothing in it waits.
 */
import type { Settings } from "../config/settings.ts";
import type { Engines } from "../engines/contract.ts";
import { HearthError } from "../error.ts";
import type { Clock } from "./clock.ts";
import type { Lease, LoadedStatus, ModelTotals, RuntimeStats } from "./contract.ts";
import { createFailures, type Failures } from "./failures.ts";
import type { Victims } from "./evict.ts";
import type { MemoryState } from "./fit.ts";
import { createIdle, type Idle } from "./idle.ts";
import { hasSeat, type Instance, isIdle, seats, toStatus } from "./instance.ts";
import { disarm, expiresAt } from "./keep-alive.ts";
import { chooseExcess, countedWaiters, toRefusal } from "./limit.ts";
import { serves } from "./load-options.ts";
import { Pool } from "./pool.ts";
import { createQueue, type Queue, type Waiter } from "./queue.ts";
import { Round } from "./round.ts";
import { createRoom, type Placement, type Room, type RoomSettings, type Wanted } from "./room.ts";
import { type Counters, createCounters, createServiceTimes, type ServiceTimes } from "./stats.ts";
import { Totals } from "./totals.ts";

export type RuntimeSettings = RoomSettings & Pick<Settings, "queue" | "keepAlive" | "sleepAfter">;

export interface SchedulerOptions {
  readonly engines: Engines;
  readonly settings: RuntimeSettings;
  readonly memory: () => MemoryState;
  readonly clock: Clock;
}

/** Failures that may be gone the next time, but must not be tried for ever. */
const countedFailures: ReadonlySet<string> = new Set([
  "engine_failed",
  "engine_load_failed",
  "internal",
  "out_of_memory",
]);

export class Scheduler {
  readonly #settings: RuntimeSettings;
  readonly #clock: Clock;
  readonly #queue: Queue;
  readonly #counters: Counters = createCounters();
  readonly #times: ServiceTimes = createServiceTimes();
  readonly #totals: Totals;
  readonly #failures: Failures;
  readonly #pool: Pool;
  readonly #room: Room;
  readonly #idle: Idle;
  readonly #onQuiet = new Set<() => void>();
  /** Requests whose model is being looked up. */
  #arriving = 0;
  #running = 0;

  constructor({ engines, settings, memory, clock }: SchedulerOptions) {
    this.#settings = settings;
    this.#clock = clock;
    this.#queue = createQueue(() => clock.now());
    this.#failures = createFailures(() => clock.now());
    this.#totals = new Totals(() => clock.now());
    this.#pool = new Pool({
      engines,
      clock,
      events: {
        loaded: () => {
          this.#counters.loads++;
          this.#step();
        },
        failed: (instance, error) => {
          this.#failed(instance, error);
        },
        died: (instance) => {
          this.#counters.engineDeaths++;
          this.#failures.record(instance.key, "its engine ended by itself.");
          this.#step();
        },
        freed: () => {
          this.#step();
        },
        slept: () => {
          this.#counters.sleeps++;
          this.#step();
        },
        stayedAwake: (instance) => {
          this.#keepAwake(instance);
        },
        removed: (instance) => this.#totals.keep(instance),
        progress: ({ key }, progress) => {
          for (const waiter of this.#queue.of(key)) waiter.onProgress?.(progress);
        },
      },
    });
    this.#room = createRoom(settings, memory, this.#pool);
    this.#idle = createIdle({ pool: this.#pool, queue: this.#queue, clock, sleepAfterMs: settings.sleepAfter });
  }

  /** Announces a request; whatever becomes of it, `arrived` has to follow. */
  arriving(): void {
    this.#arriving++;
  }

  /** With nothing to wait for the request has failed already. */
  arrived(waiter?: Waiter): void {
    this.#arriving--;
    if (waiter) this.#queue.add(waiter);
    this.#step();
  }

  /** Takes a request out of the queue; nothing happens when it has its turn already. */
  abandon(waiter: Waiter, reason: HearthError): void {
    if (!this.#queue.delete(waiter)) return;
    waiter.reject(reason);
    this.#step();
  }

  countRefusal(): void {
    this.#counters.refused++;
  }

  place(wanted: Wanted): Placement {
    return this.#room.place(wanted);
  }

  /** Who would have to make room for a model that is here. Undefined: it sleeps, and fits no more as it was. */
  placeAgain(instance: Instance): Victims<Instance> | undefined {
    const asleep = instance.state === "asleep" || instance.state === "dozing";
    return asleep ? this.#room.placeAgain(instance) : { sleep: [], unload: [] };
  }

  current(key: string): Instance | undefined {
    return this.#pool.current(key);
  }

  status(): readonly LoadedStatus[] {
    return this.#pool
      .all()
      .map((instance) =>
        toStatus(
          instance,
          instance.state === "unloading" ? 0 : this.#queue.of(instance.key).length,
          expiresAt(instance, this.#clock),
        ),
      );
  }

  stats(): RuntimeStats {
    return {
      ...this.#counters,
      running: this.#running,
      waiting: this.#counted().length,
      budgetBytes: this.#room.budget().limitBytes,
      usedBytes: this.#pool.usedBytes(),
    };
  }

  totals(): readonly ModelTotals[] {
    return this.#totals.read(this.#pool.all());
  }

  async stop(key: string): Promise<boolean> {
    const leaving = this.#pool.all().filter((instance) => instance.key === key);
    const wasLoaded = leaving.some(({ state }) => state !== "unloading");
    this.#rejectAll(
      this.#queue.of(key),
      new HearthError("engine_failed", `Model "${key}" was stopped while this request waited for it.`, {
        hint: "Send it again: the model is then loaded again.",
      }),
    );
    await Promise.all(leaving.map((instance) => this.#pool.retire(instance)));
    this.#step();
    return wasLoaded;
  }

  async sleep(key: string): Promise<void> {
    await this.#idle.sleep(key);
  }

  /** Resolves when nothing runs, waits or arrives. */
  async quiet(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onQuiet.add(resolve);
      this.#step();
    });
  }

  async dispose(reason: HearthError): Promise<void> {
    this.#rejectAll(this.#queue.all(), reason);
    await Promise.all(this.#pool.all().map((instance) => this.#pool.retire(instance)));
  }

  #rejectAll(waiters: readonly Waiter[], reason: HearthError): void {
    for (const waiter of waiters) {
      this.#queue.delete(waiter);
      waiter.reject(reason);
    }
  }

  #step(): void {
    const round = new Round({
      pool: this.#pool,
      room: this.#room,
      failures: this.#failures,
      grantNext: (waiters) => this.#grantNext(waiters),
      refuse: (waiter, reason) => this.#refuse(waiter, reason),
      giveWay: (victims) => this.#giveWay(victims),
    });
    round.play(this.#queue.all());
    this.#refuseOverflow();
    this.#idle.settle();
    const woken = this.#pool.startPromised(() => this.#room.budget().limitBytes);
    this.#counters.wakes += woken.length;
    if (woken.length > 0) this.#step();
    else this.#notifyQuiet();
  }

  /** Gives a turn to one of the requests, which it takes out of the list. Returns whether it could. */
  #grantNext(waiters: Waiter[]): boolean {
    const next = this.#queue.next(waiters);
    const instance = next && this.#pool.current(next.key);
    if (!next || instance?.state !== "ready" || !hasSeat(instance, next.priority)) return false;
    waiters.splice(waiters.indexOf(next), 1);
    this.#grant(next, instance);
    return true;
  }

  #refuse(waiter: Waiter, reason: HearthError): void {
    this.#counters.refused++;
    this.#rejectAll([waiter], reason);
  }

  #giveWay({ sleep, unload }: Victims<Instance>): void {
    for (const victim of sleep) void this.#pool.sleep(victim);
    this.#evict(unload);
  }

  /** One that was to make room by sleeping, and would not, makes room by going. */
  #keepAwake(instance: Instance): void {
    if (this.#pool.claimedBytes() > this.#room.budget().limitBytes) this.#evict([instance]);
    this.#step();
  }

  #evict(victims: readonly Instance[]): void {
    this.#counters.evictions += victims.length;
    for (const victim of victims) void this.#pool.retire(victim);
  }

  #grant(waiter: Waiter, instance: Instance): void {
    this.#queue.begin(waiter);
    disarm(instance, this.#clock);
    instance.restlessAt = undefined;
    instance.running++;
    if (waiter.priority === "batch") instance.runningBatch++;
    this.#running++;
    const grantedAt = this.#clock.now();
    const waitedMs = grantedAt - waiter.arrivedAt;
    const loadMs = Math.max(0, instance.loadEndedAt - Math.max(waiter.arrivedAt, instance.loadStartedAt));
    const queueMs = waitedMs - loadMs;
    const stopwatch = this.#totals.begin(waiter.key, { arrivedAt: waiter.arrivedAt, queueMs, loadMs });
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      stopwatch.end();
      this.#release(waiter, instance, grantedAt);
    };
    const { model, info } = waiter;
    waiter.resolve({ model, info, loaded: loadedOf(instance), queueMs, loadMs, watch: stopwatch.watch, release });
  }

  #release(waiter: Waiter, instance: Instance, grantedAt: number): void {
    const now = this.#clock.now();
    this.#queue.end(waiter);
    instance.running--;
    if (waiter.priority === "batch") instance.runningBatch--;
    this.#running--;
    instance.lastUsedAt = now;
    instance.keepAliveMs = waiter.keepAliveMs;
    this.#times.record(waiter.key, now - grantedAt);
    this.#step();
  }

  #seats(key: string): number {
    const instance = this.#pool.current(key);
    return instance && instance.state !== "ready" ? seats(instance) : 0;
  }

  #counted(): readonly Waiter[] {
    return countedWaiters(this.#queue.all(), (key) => this.#seats(key));
  }

  /** Refuses requests until no more wait than the settings allow. */
  #refuseOverflow(): void {
    const { queue: limit } = this.#settings;
    if (this.#queue.size <= limit) return;
    for (const excess of chooseExcess(this.#counted(), limit)) {
      const { waiter } = excess;
      this.#refuse(waiter, toRefusal(excess, { limit, retryAfterSeconds: this.#retryAfterSeconds(waiter) }));
    }
  }

  #retryAfterSeconds({ key, priority }: Waiter): number {
    const instance = this.#pool.current(key);
    // Interactive requests do not wait for batch ones.
    const waiting = this.#queue.of(key).filter((other) => priority === "batch" || other.priority === priority).length;
    return this.#times.retryAfterSeconds(key, waiting - 1, instance ? seats(instance) : 1);
  }

  #failed(instance: Instance, error: HearthError): void {
    const idle = this.#pool.staying().filter(isIdle);
    if (error.code === "out_of_memory" && !instance.retry && idle.length > 0) {
      // The estimate was too low. The idle models make room, and the load gets one more chance.
      this.#evict(idle);
      this.#pool.add({ ...instance, retry: true });
      this.#step();
      return;
    }
    this.#counters.loadFailures++;
    if (countedFailures.has(error.code)) this.#failures.record(instance.key, error.message);
    const reason = error.code === "out_of_memory" ? this.#withBusy(error) : error;
    const waiters = this.#queue.of(instance.key);
    this.#rejectAll(
      waiters.filter(({ model, info, requested }) => serves(instance, model, info, requested)),
      reason,
    );
    this.#step();
  }

  /** Names the models that could be stopped to make room. */
  #withBusy(error: HearthError): HearthError {
    const names = this.#pool.staying().map(({ key }) => key);
    if (names.length === 0) return error;
    return new HearthError(error.code, error.message, {
      hint: `Stop a model that is in use (${names.map((name) => `\`hearth stop ${name}\``).join(", ")}), or try a smaller quantization or --context.`,
      details: { ...error.details, loaded: names },
      cause: error,
    });
  }

  #notifyQuiet(): void {
    if (this.#running + this.#arriving + this.#queue.size > 0) return;
    for (const resolve of this.#onQuiet) resolve();
    this.#onQuiet.clear();
  }
}

function loadedOf(instance: Instance): Lease["loaded"] {
  if (instance.loaded) return instance.loaded;
  throw new HearthError("internal", `A turn was given on "${instance.key}", which is not loaded.`);
}
