import { expect, it } from "vitest";
import { components, convexHull, smallestRectangle } from "./geometry.ts";

it("finds what touches, corners too, the largest first", () => {
  const rows = ["11000", "00100", "00000", "00011"];
  const isSet = Uint8Array.from(rows.join(""), Number);
  expect(components(isSet, 5, 9).map(({ pixels }) => pixels.toSorted((a, b) => a - b))).toEqual([
    [0, 1, 7],
    [18, 19],
  ]);
  expect(components(isSet, 5, 1)).toHaveLength(1);
});

it("draws the smallest rectangle around points, turned by at most 45 degrees", () => {
  const angle = 0.3;
  const corners = [
    [0, 0],
    [40, 0],
    [40, 10],
    [0, 10],
    [20, 5],
  ].map(([x = 0, y = 0]) => ({
    x: 100 + x * Math.cos(angle) - y * Math.sin(angle),
    y: 50 + x * Math.sin(angle) + y * Math.cos(angle),
  }));
  const region = smallestRectangle(convexHull(corners));
  expect(region.width).toBeCloseTo(40);
  expect(region.height).toBeCloseTo(10);
  expect(region.angle).toBeCloseTo(angle);
  expect(region.x).toBeCloseTo(100 + 20 * Math.cos(angle) - 5 * Math.sin(angle));
});

it("takes a single point", () => {
  expect(smallestRectangle(convexHull([{ x: 3, y: 4 }]))).toMatchObject({ x: 3, y: 4, width: 0, height: 0 });
});
