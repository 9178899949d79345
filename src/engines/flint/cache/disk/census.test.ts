import { expect, test } from "vitest";
import { Census } from "./census.ts";

test("what was looked at tells how large the rest of the folder is", () => {
  const census = new Census();
  expect(census.bytes).toBe(0);
  census.set("00", 100);
  census.set("01", 300);
  expect(census.bytes).toBe(200 * 256);
  // Of what nobody has looked at, nothing is known.
  census.add(`ff${"0".repeat(62)}`, 1000);
  census.add(`00${"0".repeat(62)}`, 200);
  expect(census.bytes).toBe(300 * 256);
});
