import { raceAbort } from "../../util/abort.ts";
import type { Contestant } from "../measure.ts";
import type { Kit, Results, ScenarioName, Values } from "./scenario.ts";

export interface Turns {
  readonly scenario: ScenarioName;
  readonly contestants: readonly Contestant[];
}

/**
 * Each run takes the contestants one after the other while all are loaded, because a machine changes its speed from minute
 * to minute. Who begins changes from run to run. The seed is the same for all in one run, and another in the next.
 */
export async function measureInTurn(
  kit: Kit,
  { scenario, contestants }: Turns,
  measure: (contestant: Contestant, seed: number) => Promise<Values>,
): Promise<Results> {
  const results = Object.fromEntries(contestants.map(({ name }): [string, Values[]] => [name, []]));
  await whileLoaded(kit, contestants, async () => {
    for (let run = 0; run < kit.runs; run++) {
      for (const contestant of run % 2 === 0 ? contestants : contestants.toReversed()) {
        kit.note(`${scenario}, run ${run + 1} of ${kit.runs}: ${contestant.name}`);
        results[contestant.name]?.push(await measure(contestant, run + 1));
      }
    }
  });
  return results;
}

/** Loads all, and unloads all whatever happens, also those that could not be loaded. */
export async function whileLoaded<T>(
  kit: Pick<Kit, "signal">,
  contestants: readonly Contestant[],
  work: () => Promise<T>,
): Promise<T> {
  const begun: Contestant[] = [];
  try {
    for (const contestant of contestants) {
      kit.signal?.throwIfAborted();
      begun.push(contestant);
      await raceAbort(contestant.load(), kit.signal);
    }
    return await work();
  } finally {
    await Promise.all(begun.map((contestant) => contestant.unload()));
  }
}

/**
 * hearth and its peers. What the many users ask is random, and a greedy model repeats itself after random prompts as it
 * does not after real ones: guessing ahead would look better than it is, so it is off.
 */
export function allContestants(kit: Kit, slots: number): readonly Contestant[] {
  return [kit.hearth({ slots, speculation: "off" }), ...kit.peers(slots)];
}
