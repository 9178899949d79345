/** What of a prompt can be had without computing it: from the sequence itself, from another one, from the disk. */
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { Slot, SlotLease } from "../../util/slots.ts";
import { copyPrefix } from "./internals.ts";
import type { PrefixSource, Progress } from "./prefix.ts";
import type { FoundState, States } from "./states/states.ts";

/** A copy holds up all sequences for as long as it takes to copy the memory of one. */
const leastCopied = 32;
/** To read a state takes time too. */
const leastRestored = 128;
/** Fewer tokens are computed again in less time than a state takes to write. */
const leastLost = 256;

/** Tokens of the prompt that were there: in the memory, and on the disk. */
export interface Reused {
  readonly cachedTokens: number;
  readonly restoredTokens: number;
}

/** One piece of work after the other. */
type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

export function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}

/** What all sequences of a context have in common. */
export interface SharedCache {
  readonly sequences: readonly LlamaContextSequence[];
  /** Prefixes can be copied from one sequence to another. */
  readonly copies: boolean;
  /** Prompts on the disk. */
  readonly states?: States | undefined;
  /** For what reads or writes the memory of whole sequences: see `copyPrefix`. */
  readonly exclusive: Exclusive;
}

/** One request and its sequence. */
export interface Place {
  readonly lease: SlotLease;
  readonly sequence: LlamaContextSequence;
  readonly progress: Progress;
  readonly tenant: string | undefined;
  readonly prompt: readonly Token[];
}

/** Brings as much of the prompt into the sequence as can be had without computing it, and drops all else. */
export async function reuse(place: Place, shared: SharedCache, signal: AbortSignal | undefined): Promise<Reused> {
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

export async function clear(place: Place, shared: SharedCache): Promise<void> {
  await saveLost(place, 0, shared);
  await place.sequence.clearHistory();
}

/** What the sequence held goes to the disk, unless the first tokens, which stay, are nearly all of it. */
async function saveLost({ lease, sequence }: Place, stays: number, shared: SharedCache): Promise<void> {
  const slot = lease.held;
  // It may be on its way there already: then that is waited for.
  await save({ slot, sequence }, shared, () => slot.tokens.length - stays >= leastLost);
}

interface Kept {
  readonly slot: Slot;
  readonly sequence: LlamaContextSequence;
}

/** Puts what a slot holds onto the disk, if it is long enough, and still `wanted` when its turn comes. */
export async function save(
  { slot, sequence }: Kept,
  { states, exclusive }: SharedCache,
  wanted: () => boolean,
): Promise<void> {
  if (!states) return;
  await exclusive(async () => {
    if (slot.tokens.length < leastLost || !wanted()) return;
    await states.save(slot, async (path) => {
      await sequence.saveStateToFile(path);
    });
  });
}

/** False: the state was not what it should be. Then the sequence is empty. */
async function restore(place: Place, found: FoundState, { states, exclusive }: SharedCache): Promise<boolean> {
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
async function copy(place: Place, source: PrefixSource, { sequences, exclusive }: SharedCache): Promise<number> {
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
