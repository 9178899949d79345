/** Which loaded models give way to another one, and whether they sleep for it or go. */
export interface Occupant {
  readonly key: string;
  readonly bytes: number;
  /** Bytes that it would still take asleep; undefined: it cannot be put to sleep now. */
  readonly asleepBytes?: number | undefined;
  /** Requests run on it; nothing can be done to it now. */
  readonly busy: boolean;
  /** When its last request ended, or when it was loaded. */
  readonly lastUsedAt: number;
}

export interface Need {
  readonly bytes: number;
  readonly limitBytes: number;
  readonly maxLoaded: number;
}

export interface Victims<T> {
  readonly sleep: readonly T[];
  /** Some may be busy. */
  readonly unload: readonly T[];
}

/**
 * The occupants that have to give way, least recently used first, idle ones before busy ones, and none that need not.
 * Where it is enough that idle ones sleep, none is unloaded. Empty when there is room. Everybody is to be unloaded where
 * even that is not enough.
 */
export function chooseVictims<T extends Occupant>(occupants: readonly T[], need: Need): Victims<T> {
  const order = [...occupants].sort((a, b) => Number(a.busy) - Number(b.busy) || a.lastUsedAt - b.lastUsedAt);
  const usedBytes = occupants.reduce((sum, { bytes }) => sum + bytes, 0);
  const fits = (sleep: readonly T[], unload: readonly T[]): boolean =>
    usedBytes - sum(sleep, gainOf) - sum(unload, ({ bytes }) => bytes) + need.bytes <= need.limitBytes &&
    occupants.length - unload.length < need.maxLoaded;
  const sleepers = choose(order.filter(isSleeper), (chosen) => fits(chosen, []));
  if (fits(sleepers, [])) return { sleep: sleepers, unload: [] };
  const victims = choose(order, (chosen) => fits([], chosen));
  return spare(victims, fits);
}

/** Takes one after the other until it is enough. */
function choose<T>(order: readonly T[], isEnough: (chosen: readonly T[]) => boolean): readonly T[] {
  const chosen: T[] = [];
  for (const victim of order) {
    if (isEnough(chosen)) break;
    chosen.push(victim);
  }
  // A big one may have made earlier, smaller victims needless; the most recently used of them stays first.
  for (const victim of chosen.toReversed()) {
    const fewer = chosen.filter((other) => other !== victim);
    if (isEnough(fewer)) chosen.splice(chosen.indexOf(victim), 1);
  }
  return chosen;
}

/** Of those that would be unloaded some may sleep instead, the most recently used first. */
function spare<T extends Occupant>(
  victims: readonly T[],
  fits: (sleep: readonly T[], unload: readonly T[]) => boolean,
): Victims<T> {
  let [sleep, unload]: [readonly T[], readonly T[]] = [[], victims];
  for (const victim of victims.toReversed()) {
    const [more, fewer] = [[victim, ...sleep], unload.filter((other) => other !== victim)];
    if (!isSleeper(victim) || !fits(more, fewer)) continue;
    [sleep, unload] = [more, fewer];
  }
  return { sleep, unload };
}

function isSleeper({ busy, bytes, asleepBytes }: Occupant): boolean {
  return !busy && asleepBytes !== undefined && asleepBytes < bytes;
}

function gainOf({ bytes, asleepBytes = bytes }: Occupant): number {
  return bytes - asleepBytes;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
