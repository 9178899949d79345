import { describe, expect, it } from "vitest";
import { Machine, answerOf, nextToken } from "./__fixtures__/machine.ts";
import { cutsPicture, nameOf } from "../pictures/names.ts";
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

describe("what a request gets", () => {
  it("is what it gets alone", () => {
    const machine = open();
    const got = new Map<readonly number[], readonly number[]>();
    const prompts = [text(5), text(40), text(100, 3), text(33, 5)];
    for (const prompt of prompts) machine.add(request(prompt), (tokens) => got.set(prompt, tokens));
    machine.run();
    for (const prompt of prompts) expect(got.get(prompt)).toEqual(answerOf(prompt, 10));
    expect(machine.cache.used).toBe(0);
  });
});

describe("prompts that come together", () => {
  /** Step in which each answer begins. */
  const begins = (machine: Machine, jobs: readonly Job[]): number[] =>
    jobs.map((job) => machine.steps.findIndex((step) => step.some((one) => one.sequence === job && one.outputs > 0)));

  it("end in the same step where they are about as long", () => {
    const machine = open({ groups: [{ blocks: 200 }], rows: 256 });
    const first = machine.add(request(text(128)));
    machine.step();
    expect(machine.steps[0]?.[0]?.tokens.length).toBe(64);
    const jobs = [first, ...[2, 3, 4, 5, 6, 7, 8].map((seed) => machine.add(request(text(128 + seed, seed))))];
    machine.run();
    expect(begins(machine, jobs)).toEqual(jobs.map(() => 4));
  });

  it("do not keep a short one waiting", () => {
    const machine = open();
    const jobs = [text(400, 3), text(20, 5)].map((prompt) => machine.add(request(prompt)));
    machine.run();
    expect(begins(machine, jobs)[1]).toBe(0);
  });

  it("do not let those beyond 2,048 tokens in before", () => {
    const machine = open({ groups: [{ blocks: 200 }] });
    const jobs = [text(2040, 3), text(20, 5)].map((prompt) => machine.add(request(prompt)));
    machine.step();
    expect(machine.steps[0]?.map(({ sequence }) => sequence)).toEqual([jobs[0]]);
  });
});

describe("pictures that are computed whole", () => {
  const picture = (serial: number, rows: number): number[] =>
    Array.from({ length: rows }, (_, row) => nameOf(serial, row));
  const cuts = (machine: Machine): number =>
    machine.steps.flat().filter(({ sequence: { tokens: all }, tokens }) => {
      const end = all.indexOf(tokens.at(-1) ?? NaN) + 1;
      return (tokens.at(-1) ?? 0) < 0 && cutsPicture(all, end);
    }).length;

  it("are in one step each, however full it is, and wait for nobody forever", () => {
    const machine = open({ groups: [{ blocks: 200 }], rows: 128, wholePictures: true });
    const got = new Map<readonly number[], readonly number[]>();
    const prompts = [
      [...text(30), ...picture(1, 100), ...text(9)],
      [...picture(2, 90), ...text(40, 3), ...picture(3, 70), ...text(3)],
      [...text(60, 5), ...picture(1, 100), ...picture(4, 20), ...text(70)],
      text(150, 7),
    ];
    prompts.forEach((prompt, index) => {
      machine.add(request(prompt, { answer: 30 }), (tokens) => got.set(prompt, tokens));
      for (let step = 0; step < index; step++) machine.step();
    });
    machine.run();
    for (const prompt of prompts) expect(got.get(prompt)).toEqual(answerOf(prompt, 30));
    expect(cuts(machine)).toBe(0);
    expect(
      Math.max(...machine.steps.map((step) => step.reduce((sum, { tokens }) => sum + tokens.length, 0))),
    ).toBeLessThanOrEqual(128);
  });

  it("go on where the cache ends within one", () => {
    const machine = open({ rows: 128, wholePictures: true });
    machine.add(request([...text(20), ...picture(1, 100), ...text(5)]));
    machine.run();
    const again = machine.add(request([...text(20), ...picture(1, 100), ...text(5, 3)]));
    machine.run();
    expect(again.cachedTokens).toBeGreaterThan(95);
    expect(cuts(machine)).toBe(0);
  });
});

describe("prefixes", () => {
  it("are computed once, also by requests that run at the same time", () => {
    const machine = open();
    const jobs = [1, 2, 3, 4].map((seed) => machine.add(request([...text(128), ...text(8, seed + 1)])));
    machine.run();
    expect(jobs.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 128, 128, 128]);
    const rows = machine.steps.flat().reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(rows).toBe(128 + 4 * (8 + 9));
  });

  it("are continued in the middle of a block, in a copy where others need it", () => {
    const machine = open();
    machine.add(request(text(50)));
    machine.run();
    const longer = machine.add(request([...text(50), 61, 62, 63]));
    const other = machine.add(request([...text(45), 71, 72, 73]));
    machine.run();
    expect(longer.cachedTokens).toBe(50);
    expect(other.cachedTokens).toBe(45);
  });

  it("are not shared between tenants", () => {
    const machine = open();
    machine.add(request(text(100), { root: "one" }));
    machine.run();
    const other = machine.add(request(text(100), { root: "two" }));
    machine.run();
    expect(other.cachedTokens).toBe(0);
  });

  it("give way, the least recently used first, when room is needed", () => {
    const machine = open({ groups: [{ blocks: 8 }] });
    const run = (prompt: number[]): number => {
      const job = machine.add(request(prompt, { answer: 1 }));
      machine.run();
      return job.cachedTokens;
    };
    run(text(96, 2));
    run(text(96, 3));
    run(text(96, 2));
    expect(run(text(96, 4))).toBe(0);
    expect(run(text(96, 2))).toBeGreaterThan(60);
    expect(run(text(96, 3))).toBeLessThan(96);
  });

  it("come back from outside memory after a restart", () => {
    const outside: Outside = new Map();
    const before = open({ outside });
    before.add(request(text(200)));
    before.run();
    before.saveAll();
    const after = open({ outside });
    const job = after.add(request(text(200)));
    after.run();
    expect(job.restoredTokens).toBe(199);
    expect(job.cachedTokens).toBe(199);
  });

  it("come back after a restart in the middle of a block too", () => {
    const outside: Outside = new Map();
    const before = open({ outside });
    before.add(request(text(200)));
    before.run();
    before.saveAll();
    const after = open({ outside });
    const [one, other, short] = [50, 45, 35].map((length) => after.add(request([...text(length), 61, 62, 63])));
    after.run();
    expect([one?.restoredTokens, one?.cachedTokens]).toEqual([50, 50]);
    expect(other?.cachedTokens).toBe(45);
    expect(short?.cachedTokens).toBe(32);
    expect(after.cache.used).toBe(0);
  });
});

describe("steps", () => {
  it("carry no more rows of prompts beside answers than allowed", () => {
    const machine = open();
    machine.add(request(text(4), { answer: 60 }));
    machine.step();
    machine.add(request(text(200, 3)));
    for (let count = 0; count < 20; count++) machine.step(6);
    for (const shares of machine.steps.slice(1)) {
      const prompts = shares.filter(({ outputs, tokens }) => outputs === 0 || tokens.length > 1);
      expect(prompts.reduce((sum, { tokens }) => sum + tokens.length, 0)).toBeLessThanOrEqual(6);
    }
  });

  it("take batch work only beside interactive work, never instead of it", () => {
    const machine = open({ sequences: 2 });
    const batch = [2, 3].map((seed) => machine.add(request(text(20, seed), { priority: "batch", answer: 100 })));
    machine.step();
    expect(batch.every(({ held }) => held)).toBe(true);
    const ended: string[] = [];
    machine.add(request(text(20, 5)), () => ended.push("interactive"));
    machine.step();
    expect(machine.scheduler.running.map(({ priority }) => priority)).toEqual(["interactive", "batch"]);
    machine.run();
    expect(ended).toEqual(["interactive"]);
    expect(machine.scheduler.preemptions).toBe(1);
  });

  it("check guesses, and keep the right ones", () => {
    const right = open({ guess: ({ tokens }) => [nextToken(tokens), nextToken([...tokens, nextToken(tokens)])] });
    const wrong = open({ guess: () => [99, 98] });
    for (const [machine, steps] of [
      [right, 5],
      [wrong, 12],
    ] as const) {
      let got: readonly number[] = [];
      machine.add(request(text(20), { answer: 12 }), (tokens) => (got = tokens));
      machine.run();
      expect(got).toEqual(answerOf(text(20), 12));
      expect(machine.steps.length).toBeLessThanOrEqual(steps);
    }
  });
});

describe("when blocks are short", () => {
  it("the last one waits, and goes on as if nothing had been", () => {
    const machine = open({ groups: [{ blocks: 6 }], sequences: 4 });
    const got = new Map<number, readonly number[]>();
    const jobs = [2, 3, 4].map((seed) =>
      machine.add(request(text(30, seed), { answer: 90 }), (tokens) => got.set(seed, tokens)),
    );
    machine.run();
    expect(machine.scheduler.preemptions).toBeGreaterThan(0);
    for (const seed of [2, 3, 4]) expect(got.get(seed)).toEqual(answerOf(text(30, seed), 90));
    expect(jobs[0]?.preempted).toBe(false);
    expect(machine.cache.used).toBe(0);
  });
});
