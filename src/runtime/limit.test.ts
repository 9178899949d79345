import { expect, test } from "vitest";
import { chooseExcess } from "./limit.ts";
import type { Waiter } from "./queue.ts";

/** `a` waits as interactive, `A` as batch work; in order of arrival. */
function waitersOf(text: string): readonly Waiter[] {
  const waiters = text.split("").map((letter, sequence) => ({
    sequence,
    key: "model",
    tenant: letter.toLowerCase(),
    priority: letter === letter.toLowerCase() ? "interactive" : "batch",
  }));
  return waiters.sort((a, b) => b.priority.localeCompare(a.priority) || a.sequence - b.sequence) as unknown as Waiter[];
}

test.each([
  ["aaaa", 3, [3], [undefined]],
  ["aaab", 3, [2], [3]],
  ["abbb", 3, [3], [3]],
  ["aabb", 3, [3], [undefined]],
  ["aabbc", 4, [3], [undefined]],
  ["aaaaab", 3, [4, 3, 2], [5, 4, 3]],
  ["aAAab", 4, [2], [4]],
  ["AAAb", 3, [2], [3]],
  ["ab", 0, [1, 0], [undefined, undefined]],
  ["abc", 3, [], []],
] as const)("of %s with %i places these lose theirs: %j", (text, limit, places, crowds) => {
  const excess = chooseExcess(waitersOf(text), limit);
  expect(excess.map(({ waiter }) => waiter.sequence)).toEqual(places);
  expect(excess.map(({ crowd }) => crowd)).toEqual(crowds);
});
