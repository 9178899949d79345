import { expect, it } from "vitest";
import { nameOf } from "./names.ts";
import { createPlaces } from "./places.ts";

const picture = (serial: number, rows: number): number[] =>
  Array.from({ length: rows }, (_, row) => nameOf(serial, row));

it("counts on after a picture from its longer side", () => {
  const names = [5, 6, ...picture(0, 6), 7, ...picture(1, 3), 8];
  const place = createPlaces(names, (serial) => (serial === 0 ? 2 : 3));
  const all = names.map((_, index) => place(index).join());
  expect(all.slice(0, 8)).toEqual(["0,0,0", "1,1,1", "2,2,2", "2,2,3", "2,3,2", "2,3,3", "2,4,2", "2,4,3"]);
  // Three lines of two, then a line of three.
  expect(all.slice(8)).toEqual(["5,5,5", "6,6,6", "6,6,7", "6,6,8", "9,9,9"]);
  expect(place(names.length + 4)).toEqual([14, 14, 14]);
});

it("is the index where there are no pictures", () => {
  const place = createPlaces([3, 4], () => 1);
  expect([place(0), place(1), place(9)]).toEqual([
    [0, 0, 0],
    [1, 1, 1],
    [9, 9, 9],
  ]);
});
