import { expect, it } from "vitest";
import { exponential } from "./exponential.ts";
import { createRandom } from "./random.ts";

it("gives numbers that no version and no platform may change", () => {
  const random = createRandom(42);
  expect(Array.from({ length: 4 }, () => random.next())).toEqual([
    0.6606157208001621, 0.1117019639532224, 0.0791056456144914, 0.015209237180418,
  ]);
  expect(createRandom(2 ** 53 - 1).next()).toBe(0.7304198827066893);
});

it("goes on alike after a clone", () => {
  const random = createRandom(1);
  random.next();
  const other = random.clone();
  expect(Array.from({ length: 9 }, () => random.next())).toEqual(Array.from({ length: 9 }, () => other.next()));
});

it("spreads its numbers evenly, also over neighbouring seeds", () => {
  const counts = Array.from({ length: 16 }, () => 0);
  const seeds = 4000;
  for (let seed = 0; seed < seeds; seed++) {
    const bucket = Math.floor(createRandom(seed).next() * 16);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  const square = counts.reduce((sum, count) => sum + (count - seeds / 16) ** 2 / (seeds / 16), 0);
  // 15 degrees of freedom: passed once in a thousand times.
  expect(square).toBeLessThan(37.7);
});

it("computes exponentials to 13 digits", () => {
  for (let x = 0; x > -700; x -= 0.37) expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
  expect([exponential(0), exponential(-Infinity), exponential(-1e9), exponential(Number.NaN)]).toEqual([1, 0, 0, 0]);
});
