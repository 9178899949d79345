import { expect, test } from "vitest";
import { createResident } from "./resident.ts";

test("the memory of the process is read ten times a second at most", () => {
  let [time, bytes] = [0, 10];
  const resident = createResident({ read: () => bytes++, now: () => time });
  expect([resident(), resident()]).toEqual([10, 10]);
  time = 99;
  expect(resident()).toBe(10);
  time = 100;
  expect(resident()).toBe(11);
});
