/** Requests that wait for a turn, in the order in which they came. */
import type { EngineChoice } from "../engines/contract.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo, Progress } from "../spec/model.ts";
import type { Lease } from "./contract.ts";

export interface Waiter {
  /** Order of arrival over all models. */
  readonly sequence: number;
  /** Canonical name of the model. */
  readonly key: string;
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly requested: LoadOptions;
  readonly arrivedAt: number;
  readonly keepAliveMs: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly resolve: (lease: Lease) => void;
  readonly reject: (reason: unknown) => void;
}

export interface Queue {
  add(waiter: Waiter): void;
  /** Returns whether it was there. */
  delete(waiter: Waiter): boolean;
  /** A copy, oldest first. */
  all(): readonly Waiter[];
  of(key: string): readonly Waiter[];
  readonly size: number;
}

export function createQueue(): Queue {
  const waiters: Waiter[] = [];
  return {
    add(waiter) {
      // Reading a model's header may take one request longer than a later one; the turn is by arrival all the same.
      const index = waiters.findLastIndex(({ sequence }) => sequence < waiter.sequence) + 1;
      waiters.splice(index, 0, waiter);
    },
    delete(waiter) {
      const index = waiters.indexOf(waiter);
      if (index !== -1) waiters.splice(index, 1);
      return index !== -1;
    },
    all: () => [...waiters],
    of: (key) => waiters.filter((waiter) => waiter.key === key),
    get size() {
      return waiters.length;
    },
  };
}

/**
 * The waiters that count against the limit, oldest first. Those that get a turn as soon as the load under way is done
 * do not: they wait for their model, not for other requests.
 */
export function countedWaiters(waiters: readonly Waiter[], seats: (key: string) => number): readonly Waiter[] {
  const left = new Map<string, number>();
  return waiters.filter(({ key }) => {
    const free = left.get(key) ?? seats(key);
    left.set(key, free - 1);
    return free <= 0;
  });
}
