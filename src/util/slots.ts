/** One place of a KV cache: whose tokens it holds. */
export interface Slot {
  readonly index: number;
  readonly tenant: string | undefined;
  readonly tokens: readonly number[];
}

/** A slot that a request has for itself until `release`. */
export interface SlotLease {
  readonly index: number;
  /** Tokens at the start of the prompt that are in the cache already; less than the prompt's length. */
  readonly cachedTokens: number;
  /** Gives the slot back and says what its cache holds now. Idempotent. */
  release(tokens: readonly number[]): void;
}

export interface Slots {
  /** Waits its turn, first come first served. Rejects with the signal's reason. */
  acquire(tenant: string | undefined, tokens: readonly number[], signal?: AbortSignal): Promise<SlotLease>;
  readonly running: number;
  readonly waiting: number;
  /** Rejects all who wait, now and later. */
  close(reason: unknown): void;
}

interface Waiter {
  readonly tenant: string | undefined;
  readonly tokens: readonly number[];
  readonly resolve: (lease: SlotLease) => void;
  readonly reject: (reason: unknown) => void;
}

/** Deals a fixed number of slots. Tokens of one tenant never count as cached for another. */
export function createSlots(count: number): Slots {
  // Ordered by last use: the slot that rested longest comes first.
  let free: Slot[] = Array.from({ length: count }, (_, index) => ({ index, tenant: undefined, tokens: [] }));
  const waiters: Waiter[] = [];
  let closed: { reason: unknown } | undefined;

  const lease = ({ tenant, tokens, resolve }: Waiter): void => {
    const slot = pickSlot(free, tenant, tokens);
    free = free.filter((other) => other !== slot);
    let held = true;
    resolve({
      index: slot.index,
      cachedTokens: slot.tenant === tenant ? cachedPrefix(slot.tokens, tokens) : 0,
      release(left) {
        if (!held) return;
        held = false;
        free.push({ index: slot.index, tenant, tokens: left });
        const next = waiters.shift();
        if (next) lease(next);
      },
    });
  };

  return {
    async acquire(tenant, tokens, signal) {
      signal?.throwIfAborted();
      if (closed) throw closed.reason;
      const { promise, resolve, reject } = Promise.withResolvers<SlotLease>();
      const waiter: Waiter = { tenant, tokens, resolve, reject };
      if (free.length > 0) lease(waiter);
      else waiters.push(waiter);
      const onAbort = (): void => {
        const place = waiters.indexOf(waiter);
        if (place < 0) return;
        waiters.splice(place, 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        return await promise;
      } finally {
        signal?.removeEventListener("abort", onAbort);
      }
    },
    get running() {
      return count - free.length;
    },
    get waiting() {
      return waiters.length;
    },
    close(reason) {
      closed ??= { reason };
      for (const waiter of waiters.splice(0)) waiter.reject(reason);
    },
  };
}

/** The slot of the same tenant with the longest common prefix; else an empty one; else the one that rested longest. */
function pickSlot(free: readonly Slot[], tenant: string | undefined, tokens: readonly number[]): Slot {
  let best: Slot | undefined;
  let bestLength = 0;
  for (const slot of free) {
    const length = slot.tenant === tenant ? cachedPrefix(slot.tokens, tokens) : 0;
    if (length > bestLength) [best, bestLength] = [slot, length];
  }
  const slot = best ?? free.find(({ tokens: held }) => held.length === 0) ?? free[0];
  if (!slot) throw new Error("No slot is free.");
  return slot;
}

/** Common prefix, less than the whole prompt: the last token must be evaluated to predict the next one. */
function cachedPrefix(held: readonly number[], tokens: readonly number[]): number {
  const most = Math.min(held.length, tokens.length - 1);
  let length = 0;
  while (length < most && held[length] === tokens[length]) length++;
  return length;
}
