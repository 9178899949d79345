/**
 * One pass through the waiting requests, interactive ones first and each class in order of arrival: that order decides
 * which models are loaded and unloaded. The turns of a loaded model go to the tenants that have had least.
 */
import type { HearthError } from "../error.ts";
import type { Victims } from "./evict.ts";
import type { Failures } from "./failures.ts";
import { hasSeat, type Instance, isIdle } from "./instance.ts";
import { serves } from "./load-options.ts";
import type { Pool } from "./pool.ts";
import type { Waiter } from "./queue.ts";
import type { Room } from "./room.ts";

export interface RoundOptions {
  readonly pool: Pool;
  readonly room: Room;
  readonly failures: Failures;
  /** Gives a turn to one of these requests of a model, which it takes out of the list. False: there is none to give. */
  readonly grantNext: (waiters: Waiter[]) => boolean;
  readonly refuse: (waiter: Waiter, reason: HearthError) => void;
  readonly giveWay: (victims: Victims<Instance>) => void;
}

export class Round {
  readonly #options: RoundOptions;
  /** Models whose later requests have to wait, for an earlier one of theirs or for somebody who needs their room. */
  readonly #held = new Set<string>();
  /** Requests whose model is there or on its way, in their order. */
  readonly #ready = new Map<string, Waiter[]>();
  #roomTaken = false;

  constructor(options: RoundOptions) {
    this.#options = options;
  }

  play(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) if (!this.#held.has(waiter.key)) this.#place(waiter);
    for (const ready of this.#ready.values()) while (this.#options.grantNext(ready));
  }

  #place(waiter: Waiter): void {
    const { key, model, info, requested, priority } = waiter;
    const { pool } = this.#options;
    const instance = pool.current(key);
    if (!instance) {
      this.#makeRoom(waiter);
      return;
    }
    if (instance.state === "dozing") {
      this.#held.add(key);
      return;
    }
    const earlier = this.#ready.get(key);
    const full = earlier ? instance.state !== "ready" : instance.running > 0 && !hasSeat(instance, priority);
    if (!full && serves(instance, model, info, requested)) {
      if (instance.state === "asleep") this.#wake(waiter, instance);
      else if (earlier) earlier.push(waiter);
      else this.#ready.set(key, [waiter]);
    } else if (full || earlier || instance.running > 0) {
      // Other load options wait until what came before is done: no model is loaded anew for the sake of fair shares.
      this.#held.add(key);
    } else {
      void pool.retire(instance);
      this.#makeRoom(waiter);
    }
  }

  /** Plans the load, or holds back the models that have to become idle for it. */
  #makeRoom(waiter: Waiter): void {
    const { pool, room, failures, refuse } = this.#options;
    this.#occupy();
    const failing = failures.refusal(waiter.key);
    const placement = room.place(waiter);
    const refusal = failing ?? placement.refusal;
    if (refusal) {
      refuse(waiter, refusal);
      return;
    }
    this.#held.add(waiter.key);
    if (!this.#clear(placement.victims)) return;
    const { model, info, choice, keepAliveMs } = waiter;
    const { load, estimate } = placement;
    pool.add({ model, info, choice, load, estimate, keepAliveMs });
  }

  /** The same for a model that sleeps; where it fits no more as it was, it is loaded anew with what fits. */
  #wake(waiter: Waiter, instance: Instance): void {
    const { pool, room } = this.#options;
    this.#occupy();
    const victims = room.placeAgain(instance);
    if (!victims) {
      void pool.retire(instance);
      this.#makeRoom(waiter);
      return;
    }
    this.#held.add(waiter.key);
    if (this.#clear(victims)) pool.wake(instance);
  }

  /** Sends the victims away or to sleep, or holds them back, as some have to become idle for it. */
  #clear(victims: Victims<Instance>): boolean {
    // Models start in the order of the requests: a small one must not take, again and again, what a big one waits for.
    if (this.#roomTaken) return false;
    if (victims.unload.every(isIdle)) {
      this.#options.giveWay(victims);
      return true;
    }
    for (const { key } of [...victims.sleep, ...victims.unload]) this.#held.add(key);
    this.#roomTaken = true;
    return false;
  }

  /** Models that only seem idle, as requests wait for them that come first, give a turn so that they are left alone. */
  #occupy(): void {
    for (const [key, waiters] of this.#ready) {
      const instance = this.#options.pool.current(key);
      if (instance && isIdle(instance)) this.#options.grantNext(waiters);
    }
  }
}
