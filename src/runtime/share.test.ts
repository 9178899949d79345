import { expect, test } from "vitest";
import { Shares } from "./share.ts";

function createTest() {
  const clock = { now: 0 };
  const shares = new Shares(() => clock.now);
  const leastOf = (tenants: readonly string[]): string | undefined =>
    [...tenants].sort((a, b) => shares.compare(a, b))[0];
  return { clock, shares, leastOf };
}

test("who has had less time goes next, whether its turns have ended or not", () => {
  const { clock, shares, leastOf } = createTest();
  for (const tenant of ["ann", "ann", "bob", "bob"]) shares.wait(tenant);
  shares.begin("ann");
  clock.now = 10;
  expect(leastOf(["ann", "bob"])).toBe("bob");
  shares.begin("bob");
  shares.end("ann");
  clock.now = 15;
  expect(leastOf(["ann", "bob"])).toBe("bob");
  clock.now = 25;
  expect(leastOf(["ann", "bob"])).toBe("ann");
});

test("who holds seven of eight turns is behind at once", () => {
  const { clock, shares, leastOf } = createTest();
  for (let turn = 0; turn < 8; turn++) shares.wait("ann");
  for (let turn = 0; turn < 7; turn++) shares.begin("ann");
  shares.wait("bob");
  expect(leastOf(["ann", "bob"])).toBe("bob");
  clock.now = 1;
  expect(leastOf(["ann", "bob"])).toBe("bob");
});

test("who was away for long starts level with the others, not ahead", () => {
  const { clock, shares } = createTest();
  shares.wait("cid");
  shares.begin("cid");
  shares.end("cid");
  for (const tenant of ["ann", "ann", "bob", "bob"]) shares.wait(tenant);
  shares.begin("ann");
  shares.begin("bob");
  clock.now = 1000;
  shares.end("ann");
  shares.end("bob");
  shares.wait("cid");
  shares.begin("cid");
  clock.now = 1010;
  expect(shares.compare("cid", "ann")).toBe(10);
  expect(shares.compare("cid", "bob")).toBe(10);
});

test("what somebody used while nobody waited is not held against them", () => {
  const { clock, shares } = createTest();
  shares.wait("ann");
  shares.begin("ann");
  clock.now = 500;
  shares.wait("bob");
  shares.wait("ann");
  clock.now = 501;
  expect(shares.compare("ann", "bob")).toBe(1);
});

test("a tenant that has had more than its part and left is remembered, and forgotten when nobody waits", () => {
  const { clock, shares } = createTest();
  shares.wait("ann");
  shares.wait("bob");
  shares.begin("ann");
  clock.now = 100;
  shares.end("ann");
  shares.wait("ann");
  expect(shares.compare("ann", "bob")).toBe(100);
  shares.leave("ann");
  shares.leave("bob");
  expect(shares.empty).toBe(true);
});

test("ten thousand tenants that come and go leave nothing behind", () => {
  const { clock, shares } = createTest();
  for (let index = 0; index < 10_000; index++) {
    shares.wait(`tenant-${index}`);
    shares.begin(`tenant-${index}`);
    clock.now++;
    shares.end(`tenant-${index}`);
  }
  expect(shares.empty).toBe(true);
});
