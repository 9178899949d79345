/** The KV cache of all sequences: who gets which, what of a prompt is there already, and what is kept before it is lost. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { Priority } from "../../spec/engine.ts";
import { abortError } from "../../util/abort.ts";
import type { Slot, SlotLease, Slots } from "../../util/slots.ts";
import { createSlots } from "../../util/slots.ts";
import { copyPrefix } from "./internals.ts";
import type { PrefixSource, Progress } from "./prefix.ts";
import { createPrefixes } from "./prefix.ts";
import type { FoundState, States } from "./states/states.ts";

export interface CacheRequest {
  readonly tenant?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly prompt: readonly Token[];
}

/** A sequence that one request has for itself until `release`. */
export interface Turn {
  readonly sequence: LlamaContextSequence;
  /** Brings as much of the prompt into the sequence as can be had without computing it, and drops all else. */
  reuse(signal: AbortSignal | undefined): Promise<Reused>;
  /** Makes the sequence empty. */
  clear(): Promise<void>;
  /** Tells that more of the prompt is computed now. */
  advance(): void;
  release(): void;
}

/** Tokens of the prompt that were there: in the memory, and on the disk. */
export interface Reused {
  readonly cachedTokens: number;
  readonly restoredTokens: number;
}

export interface Cache {
  readonly slots: Slots;
  /** Waits for a sequence: first come first served, batch work last. */
  take(request: CacheRequest, signal: AbortSignal | undefined): Promise<Turn>;
  /** Puts what nobody uses at the moment onto the disk. */
  keep(): Promise<void>;
}

export interface CacheOptions {
  readonly sequences: readonly LlamaContextSequence[];
  /** Prefixes can be copied from one sequence to another. */
  readonly copies: boolean;
  readonly states?: States | undefined;
  /** After so long without a request what is in the memory goes to the disk: unloading leaves little time for that. */
  readonly restMs?: number;
}

/** Longer than most people read an answer, shorter than an unused model stays loaded. */
const defaultRestMs = 60_000;

/** A copy holds up all sequences for as long as it takes to copy the memory of one. */
const leastCopied = 32;
/** To read a state takes time too. */
const leastRestored = 128;

export function createCache(options: CacheOptions): Cache {
  const { sequences, copies, restMs = defaultRestMs } = options;
  const slots = createSlots(sequences.length, { copies });
  const shared: Shared = { ...options, exclusive: createExclusive() };
  const prefixes = createPrefixes();
  let rest: NodeJS.Timeout | undefined;

  const keep = async (goOn: () => boolean): Promise<void> => {
    for (const slot of slots.resting.toReversed()) {
      const sequence = sequences[slot.index];
      if (sequence) await save({ slot, sequence }, shared, () => goOn() && slots.resting.includes(slot));
    }
  };
  return {
    slots,
    async take({ tenant, priority, prompt }, signal) {
      clearTimeout(rest);
      const lease = await slots.acquire({ tenant, priority, tokens: prompt }, signal).catch((error: unknown) => {
        throw signal?.aborted ? abortError(signal) : error;
      });
      const sequence = sequences[lease.index];
      if (!sequence) throw new Error(`There is no sequence ${lease.index}.`);
      const progress = prefixes.begin({ slot: lease.index, tenant, prompt });
      const place: Place = { lease, sequence, progress, tenant, prompt };
      return {
        sequence,
        reuse: (caller) => reuse(place, shared, caller),
        clear: () => clear(place, shared),
        advance: () => progress.reach(sequence.nextTokenIndex),
        release() {
          const tokens = sequence.contextTokens;
          progress.end(tokens);
          lease.release(tokens);
          clearTimeout(rest);
          if (slots.running > 0 || !shared.states) return;
          rest = setTimeout(() => void keep(() => slots.running === 0), restMs).unref();
        },
      };
    },
    keep: () => keep(() => true),
  };
}

/** One piece of work after the other. */
type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

interface Shared extends CacheOptions {
  /** For what reads or writes the memory of whole sequences: see `copyPrefix`. */
  readonly exclusive: Exclusive;
}

interface Place {
  readonly lease: SlotLease;
  readonly sequence: LlamaContextSequence;
  readonly progress: Progress;
  readonly tenant: string | undefined;
  readonly prompt: readonly Token[];
}

async function reuse(place: Place, shared: Shared, signal: AbortSignal | undefined): Promise<Reused> {
  const { lease, sequence, progress, tenant, prompt } = place;
  const own = lease.cachedTokens;
  await saveLost(place, own, shared);
  const source = shared.copies ? await progress.find(own + leastCopied - 1, signal) : undefined;
  const state = shared.states?.find({ tenant, tokens: prompt });
  if (state && state.tokens >= Math.max(own, source?.tokens ?? 0) + leastRestored) {
    if (await restore(place, state, shared)) return { cachedTokens: 0, restoredTokens: sequence.nextTokenIndex };
  } else if (source) {
    const copied = await copy(place, source, shared);
    if (copied > 0) return { cachedTokens: copied, restoredTokens: 0 };
  }
  // Without shifting, the first tokens up to the first that differs are kept, or nothing.
  if (own === 0) await sequence.clearHistory();
  else await sequence.adaptStateToTokens(prompt.slice(0, own), false);
  return { cachedTokens: sequence.nextTokenIndex, restoredTokens: 0 };
}

async function clear(place: Place, shared: Shared): Promise<void> {
  await saveLost(place, 0, shared);
  await place.sequence.clearHistory();
}

/** What the sequence held goes to the disk, unless the first tokens, which stay, are nearly all of it. */
async function saveLost({ lease, sequence }: Place, stays: number, shared: Shared): Promise<void> {
  const slot = lease.held;
  // It may be on its way there already: then that is waited for.
  await save({ slot, sequence }, shared, () => slot.tokens.length - stays >= leastLost);
}

/** Fewer tokens are computed again in less time than a state takes to write. */
const leastLost = 256;

interface Kept {
  readonly slot: Slot;
  readonly sequence: LlamaContextSequence;
}

async function save({ slot, sequence }: Kept, { states, exclusive }: Shared, wanted: () => boolean): Promise<void> {
  if (!states) return;
  await exclusive(async () => {
    if (slot.tokens.length < leastLost || !wanted()) return;
    await states.save(slot, async (path) => {
      await sequence.saveStateToFile(path);
    });
  });
}

/** False: the state was not what it should be. Then the sequence is empty. */
async function restore(place: Place, found: FoundState, { states, exclusive }: Shared): Promise<boolean> {
  const { sequence, tenant, prompt } = place;
  return await exclusive(async () => {
    const path = await states?.open(found);
    if (!states || path === undefined) return false;
    const loaded = await sequence.loadStateFromFile(path, { acceptRisk: true }).then(
      () => states.holds(found, { tenant, tokens: sequence.contextTokens }),
      () => false,
    );
    if (loaded) await sequence.adaptStateToTokens(prompt.slice(0, -1), false);
    else {
      await sequence.clearHistory();
      await states.remove(found);
    }
    return loaded;
  });
}

/** How many tokens it has now from the other sequence. One more is computed, since only that makes llama.cpp copy. */
async function copy(place: Place, source: PrefixSource, { sequences, exclusive }: Shared): Promise<number> {
  const { sequence, prompt } = place;
  // One token is left to predict the next one from.
  const wanted = Math.min(source.tokens, prompt.length - 2);
  return await exclusive(async () => {
    const from = sequences[source.slot];
    if (!from || wanted <= 0 || !source.valid()) return 0;
    const copied = await copyPrefix(from, sequence, wanted);
    const right = copied && source.valid() && isStart(sequence.contextTokens, prompt);
    if (!right) await sequence.clearHistory();
    const tokens = sequence.nextTokenIndex;
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(tokens, tokens + 1));
    return tokens;
  });
}

function isStart(tokens: readonly Token[], prompt: readonly Token[]): boolean {
  return tokens.length < prompt.length && tokens.every((token, index) => token === prompt[index]);
}
