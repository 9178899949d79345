import { describe, expect, test } from "vitest";
import { countOf, createHistogram, percentile, subtract } from "./histogram.ts";

describe("a histogram", () => {
  test("puts a value that equals a bound under it, and what is over all bounds into the last bucket", () => {
    const histogram = createHistogram([1, 2, 5]);
    for (const value of [0, 1, 1.5, 5, 6, 100]) histogram.observe(value);
    expect(histogram.read()).toEqual({ bounds: [1, 2, 5], counts: [2, 1, 1, 2], sum: 113.5 });
  });

  test("counts a value several times over", () => {
    const histogram = createHistogram([1]);
    histogram.observe(0.5, 4);
    expect(histogram.read()).toEqual({ bounds: [1], counts: [4, 0], sum: 2 });
  });

  test("what was read does not change any more, so that it can be subtracted later", () => {
    const histogram = createHistogram([1, 2]);
    histogram.observe(0.5);
    const before = histogram.read();
    histogram.observe(1.5);
    expect(countOf(before)).toBe(1);
    expect(subtract(histogram.read(), before)).toEqual({ bounds: [1, 2], counts: [0, 1, 0], sum: 1.5 });
  });
});

describe("a percentile", () => {
  const histogram = createHistogram([10, 20, 40]);
  histogram.observe(5, 50);
  histogram.observe(30, 50);

  test.each([
    [0.25, 5],
    [0.5, 10],
    [0.75, 30],
    [1, 40],
  ])("of %d is %d: values lie evenly in their bucket", (share, value) => {
    expect(percentile(histogram.read(), share)).toBe(value);
  });

  test("of values over all bounds is the last bound", () => {
    const slow = createHistogram([10]);
    slow.observe(99);
    expect(percentile(slow.read(), 0.5)).toBe(10);
  });

  test("of nothing is unknown", () => {
    expect(percentile(createHistogram([1]).read(), 0.5)).toBeUndefined();
  });
});
