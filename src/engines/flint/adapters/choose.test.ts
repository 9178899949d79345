import { expect, it } from "vitest";
import { cacheRoot, chooseAdapters } from "./choose.ts";

const loaded = [
  { path: "/one.gguf", scale: 0.5 },
  { path: "/two.gguf", scale: 1 },
];

it("takes all adapters as they were loaded where a request does not say", () => {
  expect(chooseAdapters({}, loaded)).toBeUndefined();
});

it("takes the adapters that are named by path or place, and no other", () => {
  expect(chooseAdapters({ adapters: [] }, loaded)).toEqual([0, 0]);
  expect(chooseAdapters({ adapters: [{ adapter: "/one.gguf" }] }, loaded)).toEqual([0.5, 0]);
  expect(chooseAdapters({ adapters: [{ adapter: 1, scale: -2 }] }, loaded)).toEqual([0, -2]);
});

it.each([
  [[{ adapter: "/three.gguf" }], "/three.gguf"],
  [[{ adapter: 2 }], "2"],
  [[{ adapter: -1 }], "-1"],
  [[{ adapter: 0 }, { adapter: "/one.gguf" }], "twice"],
  [[{ adapter: 0, scale: Number.NaN }], "NaN"],
  [[{ adapter: 0, scale: 1e9 }], "1000000000"],
])("refuses %j", (adapters, message) => {
  expect(() => chooseAdapters({ adapters }, loaded)).toThrow(
    expect.objectContaining({ code: "bad_request", message: expect.stringContaining(message) }),
  );
});

it("shares the cache between equal tenants and adapters only", () => {
  const root = (tenant: string | undefined, ...scales: number[]): string =>
    cacheRoot(
      tenant,
      scales.map((scale) => ({ path: "/one.gguf", scale })),
    );
  const roots = [root("me"), root(undefined), root("me", 1), root("me", 0), root("you", 1), root(undefined, 1)];
  expect(new Set(roots).size).toBe(6);
  expect(root("me", 0.5)).toBe(root("me", 0.5));
});
