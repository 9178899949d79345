import { describe, expect, it } from "vitest";
import { Lookup } from "./lookup.ts";
import { Pace, Trust, kindOf } from "./pace.ts";

describe("guesses from the text itself", () => {
  it("are what followed the last time the same tokens came", () => {
    const lookup = new Lookup([1, 2, 3, 4, 5, 6, 9, 1, 2, 3]);
    expect(lookup.guess(3)).toEqual({ tokens: [4, 5, 6], matched: 3 });
  });
  it("come from the longest match, the latest where several are as long", () => {
    const lookup = new Lookup([7, 1, 2, 3, 50, 8, 1, 2, 3, 60, 8, 1, 2, 3, 61, 7, 1, 2, 3]);
    expect(lookup.guess(1)).toEqual({ tokens: [50], matched: 4 });
    expect(new Lookup([9, 1, 2, 3, 60, 8, 1, 2, 3, 61, 7, 1, 2, 3]).guess(1)).toEqual({ tokens: [61], matched: 3 });
  });
  it("go round where the text does", () => {
    expect(new Lookup([1, 2, 1, 2, 1, 2]).guess(5)?.tokens).toEqual([1, 2, 1, 2, 1]);
  });
  it("are none where nothing repeats", () => {
    expect(new Lookup([1, 2, 3, 4, 5, 6]).guess(4)).toBeUndefined();
    expect(new Lookup([]).guess(4)).toBeUndefined();
  });
});

describe("pace", () => {
  const measured = (ms: (rows: number) => number, rows: readonly number[]): Pace => {
    const pace = new Pace();
    for (const count of rows) pace.record(count, ms(count));
    return pace;
  };
  it("knows what it has measured, and what lies between", () => {
    const pace = measured((rows) => 30 + 6 * rows, [1, 8, 200]);
    expect(pace.estimate(1)).toBe(36);
    expect(pace.estimate(4)).toBeCloseTo(54);
    expect(pace.estimate(16)).toBeGreaterThan(100);
  });
  it("is not put off by a step that was held up", () => {
    const pace = measured(() => 10, [1]);
    pace.record(1, 5000);
    expect(pace.estimate(1)).toBeLessThan(12);
  });
  it("lets rows of prompts lengthen a step by half at most, and always lets one through", () => {
    const pace = measured((rows) => 20 + 5 * rows, [1, 2, 4, 8, 16, 32, 64, 256]);
    for (const rows of [1, 4, 8]) {
      const whole = rows + pace.promptRows(rows);
      expect(whole % 4).toBe(0);
      // The rest of a tile comes for nothing.
      expect(pace.estimate(whole - 3)).toBeLessThanOrEqual(1.5 * pace.estimate(rows));
    }
    expect(pace.promptRows(4, 3)).toBeGreaterThan(2 * pace.promptRows(4));
    expect(measured((rows) => 10 * rows, [1, 2, 4]).promptRows(1)).toBe(3);
  });
  it("guesses more the likelier a guess is right and the less a row costs, and not where it does not pay", () => {
    const cheap = measured((rows) => 30 + rows, [1, 2, 4, 8, 16, 32]);
    const dear = measured((rows) => 10 * rows, [1, 2, 4, 8, 16, 32]);
    const guesses = (pace: Pace, chance: number): number => pace.guesses({ rows: 1, chance, most: 16 });
    expect(guesses(cheap, 0.95)).toBeGreaterThan(guesses(cheap, 0.6));
    expect(guesses(cheap, 0.01)).toBe(0);
    expect(guesses(dear, 0.9)).toBe(0);
    expect(cheap.guesses({ rows: 1, chance: 0.6, most: 16, guessMs: 40 })).toBe(0);
  });
});

describe("trust", () => {
  it("grows with right guesses, falls with wrong ones, and comes back with time", () => {
    const trust = new Trust();
    const kind = kindOf(5);
    const start = trust.chance(kind);
    trust.learn(kind, 4, 4);
    expect(trust.chance(kind)).toBeGreaterThan(start);
    for (let count = 0; count < 10; count++) trust.learn(kind, 4, 0);
    const low = trust.chance(kind);
    expect(low).toBeLessThan(start / 2);
    for (let count = 0; count < 300; count++) trust.rest(kind);
    expect(trust.chance(kind)).toBeGreaterThan(low);
  });
});
