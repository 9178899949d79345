/** Which slot holds or is about to hold the longest prefix of a prompt, so that it is computed once. */
import { raceAbort } from "../../util/abort.ts";
import { commonPrefix } from "../../util/slots.ts";

export interface PrefixRequest {
  readonly slot: number;
  readonly tenant: string | undefined;
  readonly prompt: readonly number[];
}

export interface PrefixSource {
  readonly slot: number;
  /** Tokens that the two have in common; less than the prompt's length. */
  readonly tokens: number;
  /** Whether the slot still holds them: it may have been given to another prompt. */
  readonly valid: () => boolean;
}

/** What one request computes in its slot. */
export interface Progress {
  /**
   * The longest common prefix of more than `least` tokens in another slot of the tenant. Waits where the one that has it
   * is still computing it: that takes no longer than to compute it here, beside it.
   */
  find(least: number, signal?: AbortSignal): Promise<PrefixSource | undefined>;
  /** So many tokens of the prompt are computed. */
  reach(tokens: number): void;
  /** The request has ended; the slot holds these tokens. */
  end(tokens: readonly number[]): void;
}

export interface Prefixes {
  /** The slot will hold this prompt; what it held before is gone. */
  begin(request: PrefixRequest): Progress;
}

interface Holding {
  readonly order: number;
  readonly slot: number;
  readonly tenant: string | undefined;
  tokens: readonly number[];
  computed: number;
  /** Resolves when one of these changes. */
  changed: PromiseWithResolvers<void>;
}

export function createPrefixes(): Prefixes {
  const holdings = new Map<number, Holding>();
  let begun = 0;
  return {
    begin({ slot, tenant, prompt }) {
      const before = holdings.get(slot);
      if (before) change(before, { tokens: [], computed: 0 });
      const changed = Promise.withResolvers<void>();
      const holding: Holding = { order: begun++, slot, tenant, tokens: prompt, computed: 0, changed };
      holdings.set(slot, holding);
      return {
        async find(least, signal) {
          for (;;) {
            const best = longest(holdings.values(), holding, least);
            if (!best) return undefined;
            const { other, tokens } = best;
            const valid = (): boolean => other.computed >= tokens && holdings.get(other.slot) === other;
            if (valid()) return { slot: other.slot, tokens, valid };
            await raceAbort(other.changed.promise, signal);
          }
        },
        reach: (computed) => change(holding, { computed }),
        end: (tokens) => change(holding, { tokens, computed: tokens.length }),
      };
    },
  };
}

function change(holding: Holding, state: Pick<Holding, "computed"> & Partial<Holding>): void {
  Object.assign(holding, state);
  holding.changed.resolve();
  holding.changed = Promise.withResolvers();
}

/** Of several that are equally long, one that is computed. Those that began later wait for this one, not this one for them. */
function longest(holdings: Iterable<Holding>, own: Holding, least: number) {
  let best: { readonly other: Holding; readonly tokens: number; readonly ready: boolean } | undefined;
  for (const other of holdings) {
    if (other === own || other.tenant !== own.tenant) continue;
    const common = commonPrefix(other.tokens, own.tokens);
    const tokens = other.order < own.order ? common : Math.min(common, other.computed);
    const ready = other.computed >= tokens;
    if (tokens <= least || tokens < (best?.tokens ?? 0)) continue;
    if (tokens > (best?.tokens ?? 0) || (ready && !best?.ready)) best = { other, tokens, ready };
  }
  return best;
}
