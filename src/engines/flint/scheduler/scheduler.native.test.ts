/** Random work for a machine without a model: too much of it for the fast tests. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../sampling/random.ts";
import { Machine, answerOf, nextToken } from "./__fixtures__/machine.ts";
import type { Job, MachineOptions, Outside } from "./__fixtures__/machine.ts";

const open = (more: Partial<MachineOptions> = {}): Machine =>
  new Machine({ groups: [{ blocks: 64 }], sequences: 8, rows: 64, ...more });
const text = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, index) => (index * seed * 7 + seed) % 50);

let nextId = 1;
const request = (prompt: readonly number[], more: Partial<Job> = {}) => ({
  id: nextId++,
  prompt,
  root: "tenant",
  priority: "interactive" as const,
  answer: 10,
  ...more,
});

/** Arrivals, cancels, evictions, preemptions, guesses and restarts in any order. Returns how many were answered. */
function storm(seed: number, groups: MachineOptions["groups"], requests: number): number {
  let answered = 0;
  const random = createRandom(seed);
  const below = (limit: number): number => Math.floor(random.next() * limit);
  const outside: Outside = new Map();
  const start = (): Machine =>
    open({
      groups,
      outside,
      sequences: 6,
      rows: 48,
      guess: ({ tokens }) =>
        below(3) > 0 ? [] : [nextToken(tokens), below(2) > 0 ? 99 : nextToken([...tokens, nextToken(tokens)])],
    });
  let machine = start();
  const open_ = new Map<number, Job>();
  for (let count = 0; count < requests; count++) {
    const prompt = [...text(below(4) * 30 + 1, 1 + below(3)), ...text(below(60), 1 + below(20))];
    const answer = 1 + below(40);
    const job: Job = machine.add(
      request(prompt, { root: `tenant ${below(3)}`, priority: below(4) > 0 ? "interactive" : "batch", answer }),
      (tokens) => {
        open_.delete(job.id);
        answered++;
        expect(tokens).toEqual(answerOf(prompt, answer));
      },
    );
    open_.set(job.id, job);
    for (let steps = below(6); steps > 0 && !machine.idle; steps--) machine.step(1 + below(20));
    if (below(8) === 0) {
      const [victim] = [...open_.values()].slice(below(open_.size));
      if (victim) machine.scheduler.remove(victim);
      if (victim) open_.delete(victim.id);
    }
    if (below(50) === 0) machine.saveAll();
    if (below(400) !== 0) continue;
    machine.run();
    expect(machine.cache.used).toBe(0);
    machine = start();
  }
  machine.run();
  expect(open_.size).toBe(0);
  expect(machine.cache.used).toBe(0);
  for (let group = 0; group < groups.length; group++) {
    expect(machine.cache.available(group)).toBe(groups[group]?.blocks);
  }
  return answered;
}

describe("a thousand requests in any order", () => {
  it.each([1, 2, 3])("get what they get alone (%i)", (seed) => {
    expect(storm(seed, [{ blocks: 24 }], 1000)).toBeGreaterThan(800);
  });
  it.each([4, 5])("get it with sliding windows too (%i)", (seed) => {
    expect(storm(seed, [{ blocks: 24 }, { blocks: 24, window: 50 }], 1000)).toBeGreaterThan(800);
  });
});
