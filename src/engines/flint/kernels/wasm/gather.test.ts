import { expect, it } from "vitest";
import { instantiate, randomNumbers } from "./__fixtures__/instance.ts";
import { gather } from "./gather.ts";

it("gives the elements of a row in the order that it is told", () => {
  const kernels = instantiate([gather()], false);
  const values = randomNumbers(37, 100);
  const columns = Float32Array.from(values, (_, index) => (index * 5) % 37);
  const y = kernels.place(38 * 4);
  kernels.floats[y / 4 + 37] = 7;
  kernels.call("gather", kernels.write(values), kernels.write(columns), y, 37);
  expect([...kernels.read(y, 37)]).toEqual(Array.from(columns, (column) => values[column]));
  expect(kernels.floats[y / 4 + 37]).toBe(7);
});

it("reads nothing beside the row, whatever the columns are", () => {
  const kernels = instantiate([gather()], false);
  const columns = kernels.write(Float32Array.of(1, 4, -1, NaN, Infinity, 2 ** 31));
  const y = kernels.place(24);
  kernels.call("gather", kernels.write(Float32Array.of(10, 11, 12, 13, 14, 15)), columns, y, 6);
  expect([...kernels.read(y, 6)]).toEqual([11, 14, 10, 10, 10, 10]);
});
