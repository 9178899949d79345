/** One place of a KV cache: whose tokens it holds. */
export interface Slot {
  readonly index: number;
  readonly tenant: string | undefined;
  readonly tokens: readonly number[];
}

export interface SlotRequest {
  readonly tenant?: string | undefined;
  readonly tokens: readonly number[];
  /** Those that are `batch` wait for all others. Default `interactive`. */
  readonly priority?: "interactive" | "batch" | undefined;
}

/** A slot that a request has for itself until `release`. */
export interface SlotLease {
  readonly index: number;
  /** What the slot held when it was given away. */
  readonly held: Slot;
  /** Tokens at the start of the prompt that are in the cache already; less than the prompt's length. */
  readonly cachedTokens: number;
  /** Gives the slot back and says what its cache holds now. Idempotent. */
  release(tokens: readonly number[]): void;
}

export interface Slots {
  /** Waits its turn: first come first served, batch work last. Rejects with the signal's reason. */
  acquire(request: SlotRequest, signal?: AbortSignal): Promise<SlotLease>;
  readonly running: number;
  readonly waiting: number;
  /** Those that nobody has, the one that rested longest first. */
  readonly resting: readonly Slot[];
  /** Rejects all who wait, now and later. */
  close(reason: unknown): void;
}

export interface SlotsOptions {
  /** A prefix can be copied from one slot to another, so that a conversation need not lose its slot to one that begins alike. */
  readonly copies?: boolean;
}

interface Waiter {
  readonly request: SlotRequest;
  readonly resolve: (lease: SlotLease) => void;
  readonly reject: (reason: unknown) => void;
}

/** Deals a fixed number of slots. Tokens of one tenant never count as cached for another. */
export function createSlots(count: number, { copies = false }: SlotsOptions = {}): Slots {
  // Ordered by last use: the slot that rested longest comes first.
  let free: Slot[] = Array.from({ length: count }, (_, index) => ({ index, tenant: undefined, tokens: [] }));
  const waiters: Waiter[] = [];
  let closed: { reason: unknown } | undefined;

  const lease = ({ request, resolve }: Waiter): void => {
    const { tenant, tokens } = request;
    const held = pickSlot(free, request, copies);
    const { index } = held;
    free = free.filter((other) => other !== held);
    let leased = true;
    resolve({
      index,
      held,
      cachedTokens: held.tenant === tenant ? commonPrefix(held.tokens, tokens) : 0,
      release(left) {
        if (!leased) return;
        leased = false;
        free.push({ index, tenant, tokens: left });
        const next = nextWaiter(waiters);
        if (next) lease(next);
      },
    });
  };

  return {
    async acquire(request, signal) {
      signal?.throwIfAborted();
      if (closed) throw closed.reason;
      const { promise, resolve, reject } = Promise.withResolvers<SlotLease>();
      const waiter: Waiter = { request, resolve, reject };
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
    get resting() {
      return free;
    },
    close(reason) {
      closed ??= { reason };
      for (const waiter of waiters.splice(0)) waiter.reject(reason);
    },
  };
}

/** Takes the first interactive one out of the line; without one, the first. */
function nextWaiter(waiters: Waiter[]): Waiter | undefined {
  const place = waiters.findIndex(({ request }) => request.priority !== "batch");
  return waiters.splice(Math.max(0, place), 1)[0];
}

/** Fewer tokens are computed again sooner than a whole slot is copied. */
const mostLost = 64;

/**
 * The slot of the same tenant with the longest common prefix; else an empty one; else the one that rested longest. Where
 * prefixes can be copied, only a slot of which nearly all is used again: another conversation that begins alike keeps its
 * own.
 */
function pickSlot(free: readonly Slot[], { tenant, tokens }: SlotRequest, copies: boolean): Slot {
  let best: Slot | undefined;
  let bestLength = 0;
  for (const slot of free) {
    const length = slot.tenant === tenant ? commonPrefix(slot.tokens, tokens) : 0;
    if (length <= bestLength || (copies && slot.tokens.length - length > mostLost)) continue;
    [best, bestLength] = [slot, length];
  }
  const slot = best ?? free.find(({ tokens: held }) => held.length === 0) ?? free[0];
  if (!slot) throw new Error("No slot is free.");
  return slot;
}

/** Common prefix, less than the whole prompt: the last token must be evaluated to predict the next one. */
export function commonPrefix(held: readonly number[], prompt: readonly number[]): number {
  const most = Math.min(held.length, prompt.length - 1);
  let length = 0;
  while (length < most && held[length] === prompt[length]) length++;
  return length;
}
