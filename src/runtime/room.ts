/** Where a model would go: its options and size, and which others have to make room. */
import type { EngineChoice } from "../engines/contract.ts";
import type { Settings } from "../config/settings.ts";
import type { HearthError } from "../error.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { MemoryEstimate } from "./contract.ts";
import type { Draft } from "./draft.ts";
import { chooseVictims, type Occupant, type Victims } from "./evict.ts";
import { type Budget, estimateMemory, memoryBudget, type MemoryState, type ResolvedLoad, usableBytes } from "./fit.ts";
import { asleepBytes, canSleep, claimedBytes, type Instance, isIdle } from "./instance.ts";
import { adapterBytes, type LoadSettings, resolveLoad, sizesOf } from "./load-options.ts";
import type { Pool } from "./pool.ts";
import { outOfMemory } from "./shortage.ts";

export type RoomSettings = LoadSettings & Pick<Settings, "memory" | "maxLoaded">;

export interface Wanted {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  /** Its draft is a path by now. */
  readonly requested: LoadOptions;
  readonly draft?: Draft | undefined;
}

export interface Placement {
  readonly load: ResolvedLoad;
  readonly estimate: MemoryEstimate;
  readonly reasons: readonly string[];
  readonly budget: Budget;
  /** Those that have to make room first. */
  readonly victims: Victims<Instance>;
  /** It fits at no time. */
  readonly refusal: HearthError | undefined;
}

export interface Room {
  budget(): Budget;
  place(wanted: Wanted): Placement;
  /** Who has to make room before a sleeping model can wake. Undefined: as it is, it fits no more. */
  placeAgain(instance: Instance): Victims<Instance> | undefined;
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
  const victimsFor = (key: string, bytes: number, { limitBytes }: Budget): Victims<Instance> => {
    const others = pool.staying().filter((instance) => instance.key !== key);
    const maxLoaded = Math.max(1, settings.maxLoaded);
    const { sleep, unload } = chooseVictims(others.map(toOccupant), { bytes, limitBytes, maxLoaded });
    const instances = (victims: typeof unload): Instance[] => victims.map(({ instance }) => instance);
    return { sleep: instances(sleep), unload: instances(unload) };
  };
  return {
    budget,
    place(wanted) {
      const { model, choice } = wanted;
      const now = budget();
      const question = { ...wanted, ...footprintsOf(choice), settings, device: choice.device };
      const answer = resolveLoad({ ...question, budgetBytes: now.limitBytes });
      const adapters = adapterBytes(model, answer.load);
      const sizes = sizesOf(question);
      const estimate = estimateMemory(sizes, answer.load, adapters);
      return {
        ...answer,
        estimate,
        budget: now,
        victims: victimsFor(model.name, estimate.totalBytes, now),
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
    placeAgain({ key, estimate }) {
      const now = budget();
      return estimate.totalBytes <= now.limitBytes ? victimsFor(key, estimate.totalBytes, now) : undefined;
    },
  };
}

function footprintsOf({ footprint, draftFootprint }: EngineChoice): Pick<EngineChoice, "footprint" | "draftFootprint"> {
  return { ...(footprint && { footprint }), ...(draftFootprint && { draftFootprint }) };
}

function toOccupant(instance: Instance): Occupant & { readonly instance: Instance } {
  const { key, lastUsedAt, restlessAt } = instance;
  const sleepy = canSleep(instance) && restlessAt === undefined;
  return {
    instance,
    key,
    bytes: claimedBytes(instance),
    asleepBytes: sleepy ? asleepBytes(instance) : undefined,
    busy: !isIdle(instance),
    lastUsedAt,
  };
}
