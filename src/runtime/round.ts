/**
 * One pass through the waiting requests, interactive ones first and each class in order of arrival: that order decides
 * which models are loaded and unloaded. The turns of a loaded model go to the tenants that have had least.
 */
import type { HearthError } from "../error.ts";
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
  readonly evict: (victims: readonly Instance[]) => void;
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
    const earlier = this.#ready.get(key);
    const full = earlier ? instance.state !== "ready" : instance.running > 0 && !hasSeat(instance, priority);
    if (!full && serves(instance, model, info, requested)) {
      if (earlier) earlier.push(waiter);
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
    const { pool, room, failures, refuse, evict } = this.#options;
    this.#occupy();
    const failing = failures.refusal(waiter.key);
    const placement = room.place(waiter);
    const refusal = failing ?? placement.refusal;
    if (refusal) {
      refuse(waiter, refusal);
      return;
    }
    this.#held.add(waiter.key);
    // Loads start in this order: a small model must not take, again and again, what a big one waits for.
    if (this.#roomTaken) return;
    if (!placement.victims.every(isIdle)) {
      for (const { key } of placement.victims) this.#held.add(key);
      this.#roomTaken = true;
      return;
    }
    evict(placement.victims);
    const { model, info, choice, keepAliveMs } = waiter;
    const { load, estimate } = placement;
    pool.add({ model, info, choice, load, estimate, keepAliveMs });
  }

  /** Models that only seem idle, as requests wait for them that come first, give a turn so that they are left alone. */
  #occupy(): void {
    for (const [key, waiters] of this.#ready) {
      const instance = this.#options.pool.current(key);
      if (instance && isIdle(instance)) this.#options.grantNext(waiters);
    }
  }
}
