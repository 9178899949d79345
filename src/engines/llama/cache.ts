/** The KV cache of all sequences: who gets which, what of a prompt is there already, and what is kept before it is lost. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { Priority } from "../../spec/engine.ts";
import { abortError } from "../../util/abort.ts";
import type { Slots } from "../../util/slots.ts";
import { createSlots } from "../../util/slots.ts";
import { createPrefixes } from "./prefix.ts";
import type { Place, Reused, SharedCache } from "./reuse.ts";
import { clear, createExclusive, reuse, save } from "./reuse.ts";

export interface CacheRequest {
  readonly tenant?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly prompt: readonly Token[];
}

/** A sequence that one request has for itself until `release`. */
export interface Turn {
  readonly sequence: LlamaContextSequence;
  /** Brings as much of the prompt into the sequence as can be had without computing it, and drops all else. */
  reuse(): Promise<Reused>;
  /** Makes the sequence empty. */
  clear(): Promise<void>;
  /** Tells that more of the prompt is computed now. */
  advance(): void;
  release(): void;
}

export interface Cache {
  readonly slots: Slots;
  /** Waits for a sequence: first come first served, batch work last. */
  take(request: CacheRequest, signal: AbortSignal | undefined): Promise<Turn>;
  /** Puts what nobody uses at the moment onto the disk. */
  keep(): Promise<void>;
}

export interface CacheOptions extends Omit<SharedCache, "exclusive"> {
  /** After so long without a request what is in the memory goes to the disk: unloading leaves little time for that. */
  readonly restMs?: number;
}

/** Longer than most people read an answer, shorter than an unused model stays loaded. */
const defaultRestMs = 60_000;

export function createCache(options: CacheOptions): Cache {
  const { sequences, copies, restMs = defaultRestMs } = options;
  const slots = createSlots(sequences.length, { copies });
  const shared: SharedCache = { ...options, exclusive: createExclusive() };
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
      const lease = await mapAbort(slots.acquire({ tenant, priority, tokens: prompt }, signal), signal);
      const sequence = sequences[lease.index];
      if (!sequence) throw new Error(`There is no sequence ${lease.index}.`);
      const progress = prefixes.begin({ slot: lease.index, tenant, prompt });
      const place: Place = { lease, sequence, progress, tenant, prompt };
      return {
        sequence,
        async reuse() {
          const reused = await mapAbort(reuse(place, shared, signal), signal);
          progress.reach(sequence.nextTokenIndex);
          return reused;
        },
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

/** The error of the contract for a caller who is gone. */
async function mapAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}
