/** Which loaded models give way to another one. */
export interface Occupant {
  readonly key: string;
  readonly bytes: number;
  /** Requests run on it; it cannot be unloaded now. */
  readonly busy: boolean;
  /** When its last request ended, or when it was loaded. */
  readonly lastUsedAt: number;
}

export interface Need {
  readonly bytes: number;
  readonly limitBytes: number;
  readonly maxLoaded: number;
}

/**
 * The occupants that have to go, least recently used first, idle ones before busy ones, and none that need not go.
 * Empty when there is room. Everybody where even that is not enough.
 */
export function chooseVictims<T extends Occupant>(occupants: readonly T[], need: Need): readonly T[] {
  const order = [...occupants].sort((a, b) => Number(a.busy) - Number(b.busy) || a.lastUsedAt - b.lastUsedAt);
  let used = occupants.reduce((sum, { bytes }) => sum + bytes, 0);
  const victims: T[] = [];
  for (const victim of order) {
    if (hasRoom(used, order.length - victims.length, need)) break;
    used -= victim.bytes;
    victims.push(victim);
  }
  // A big one may have made earlier, smaller victims needless; the most recently used of them stays first.
  for (const victim of victims.toReversed()) {
    if (!hasRoom(used + victim.bytes, order.length - victims.length + 1, need)) continue;
    used += victim.bytes;
    victims.splice(victims.indexOf(victim), 1);
  }
  return victims;
}

function hasRoom(usedBytes: number, count: number, { bytes, limitBytes, maxLoaded }: Need): boolean {
  return usedBytes + bytes <= limitBytes && count < maxLoaded;
}
