/** Where a model would go: its options and size, and which others have to make room. */
import type { EngineChoice } from "../engines/contract.ts";
import type { Settings } from "../config/settings.ts";
import type { HearthError } from "../error.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { MemoryEstimate } from "./contract.ts";
import { chooseVictims } from "./evict.ts";
import {
  type Budget,
  estimateMemory,
  memoryBudget,
  type MemoryState,
  outOfMemory,
  type ResolvedLoad,
  usableBytes,
} from "./fit.ts";
import { type Instance, isIdle } from "./instance.ts";
import { adapterBytes, type LoadSettings, resolveLoad } from "./load-options.ts";
import type { Pool } from "./pool.ts";

export type RoomSettings = LoadSettings & Pick<Settings, "memory" | "maxLoaded">;

export interface Wanted {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly requested: LoadOptions;
}

export interface Placement {
  readonly load: ResolvedLoad;
  readonly estimate: MemoryEstimate;
  readonly reasons: readonly string[];
  readonly budget: Budget;
  /** Those that have to go first; some may be busy. */
  readonly victims: readonly Instance[];
  /** It fits at no time. */
  readonly refusal: HearthError | undefined;
}

export interface Room {
  budget(): Budget;
  place(wanted: Wanted): Placement;
}

export function createRoom(settings: RoomSettings, memory: () => MemoryState, pool: Pool): Room {
  let baselineBytes = 0;
  const budget = (): Budget => {
    if (settings.memory !== undefined) return { limitBytes: settings.memory, ceilingBytes: settings.memory };
    const state = memory();
    const usedBytes = pool.usedBytes();
    if (usedBytes === 0) baselineBytes = usableBytes(state);
    return memoryBudget(usedBytes, baselineBytes, state);
  };
  return {
    budget,
    place(wanted) {
      const { model, info, choice, requested } = wanted;
      const now = budget();
      const budgetBytes = now.limitBytes;
      const { device, footprint } = choice;
      const answer = resolveLoad({ model, info, requested, settings, device, footprint, budgetBytes });
      const adapters = adapterBytes(model, answer.load);
      const sizes = { ...info, footprint };
      const estimate = estimateMemory(sizes, answer.load, adapters);
      const occupants = pool
        .staying()
        .filter(({ key }) => key !== model.name)
        .map((instance) => toOccupant(instance));
      const need = { bytes: estimate.totalBytes, limitBytes: budgetBytes, maxLoaded: Math.max(1, settings.maxLoaded) };
      return {
        ...answer,
        estimate,
        budget: now,
        victims: chooseVictims(occupants, need).map(({ instance }) => instance),
        refusal:
          estimate.totalBytes <= now.ceilingBytes
            ? undefined
            : outOfMemory({
                model: model.name,
                info: sizes,
                load: answer.load,
                adapterBytes: adapters,
                budgetBytes: now.ceilingBytes,
                memory: memory(),
                configured: settings.memory !== undefined,
              }),
      };
    },
  };
}

function toOccupant(instance: Instance): {
  instance: Instance;
  key: string;
  bytes: number;
  busy: boolean;
  lastUsedAt: number;
} {
  const { key, estimate, lastUsedAt } = instance;
  return { instance, key, bytes: estimate.totalBytes, busy: !isIdle(instance), lastUsedAt };
}
