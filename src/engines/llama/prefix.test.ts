import { describe, expect, it } from "vitest";
import { createPrefixes } from "./prefix.ts";
import type { PrefixRequest, PrefixSource } from "./prefix.ts";

const request = (slot: number, prompt: readonly number[], tenant = "ann"): PrefixRequest => ({ slot, tenant, prompt });

/** What is found at once; "waits" where it is still being computed. */
async function now(found: Promise<PrefixSource | undefined>): Promise<unknown> {
  const later = new Promise<"waits">((resolve) => setImmediate(() => resolve("waits")));
  const first = await Promise.race([found, later]);
  return first === "waits" ? first : first && [first.slot, first.tokens];
}

describe("a prompt that begins like another one", () => {
  it("is copied from the slot with the longest common prefix", async () => {
    const prefixes = createPrefixes();
    prefixes.begin(request(0, [1, 2, 3])).end([1, 2, 3, 4]);
    prefixes.begin(request(1, [1, 2, 3])).end([1, 2, 3, 5, 6]);
    const own = prefixes.begin(request(2, [1, 2, 3, 5, 6, 7]));
    expect(await now(own.find(0))).toEqual([1, 5]);
    expect(await now(own.find(5))).toBeUndefined();
  });

  it("leaves its last token to evaluate", async () => {
    const prefixes = createPrefixes();
    prefixes.begin(request(0, [1, 2, 3])).end([1, 2, 3]);
    expect(await now(prefixes.begin(request(1, [1, 2, 3])).find(0))).toEqual([0, 2]);
  });

  it("is never copied from another tenant, nor from nobody's slot", async () => {
    const prefixes = createPrefixes();
    prefixes.begin(request(0, [1, 2, 3], "bob")).end([1, 2, 3]);
    prefixes.begin({ slot: 1, tenant: undefined, prompt: [1, 2, 3] }).end([1, 2, 3]);
    expect(await now(prefixes.begin(request(2, [1, 2, 3])).find(0))).toBeUndefined();
  });

  it("waits for a request that is computing it", async () => {
    const prefixes = createPrefixes();
    const first = prefixes.begin(request(0, [1, 2, 3, 4, 5]));
    const found = prefixes.begin(request(1, [1, 2, 3, 9])).find(0);
    expect(await now(found)).toBe("waits");
    first.reach(2);
    expect(await now(found)).toBe("waits");
    first.reach(4);
    expect(await now(found)).toEqual([0, 3]);
  });

  it("takes what is there when that request ends early", async () => {
    const prefixes = createPrefixes();
    const first = prefixes.begin(request(0, [1, 2, 3, 4, 5]));
    const found = prefixes.begin(request(1, [1, 2, 3, 4, 9])).find(0);
    first.end([1, 2]);
    expect(await now(found)).toEqual([0, 2]);
  });

  it("is never waited for by both of two that begin alike", async () => {
    const prefixes = createPrefixes();
    const first = prefixes.begin(request(0, [1, 2, 3, 4]));
    const second = prefixes.begin(request(1, [1, 2, 3, 5]));
    expect(await now(first.find(0))).toBeUndefined();
    expect(await now(second.find(0))).toBe("waits");
  });

  it("is not waited for any longer by a caller who is gone", async () => {
    const prefixes = createPrefixes();
    prefixes.begin(request(0, [1, 2, 3]));
    const controller = new AbortController();
    const found = prefixes.begin(request(1, [1, 2, 3])).find(0, controller.signal);
    controller.abort(new Error("gone"));
    await expect(found).rejects.toThrow("gone");
  });

  it("is not copied from a slot that was given to another prompt meanwhile", async () => {
    const prefixes = createPrefixes();
    prefixes.begin(request(0, [1, 2, 3])).end([1, 2, 3]);
    const found = await prefixes.begin(request(1, [1, 2, 3])).find(0);
    expect(found?.valid()).toBe(true);
    prefixes.begin(request(0, [1, 2, 3], "bob")).end([1, 2, 3]);
    expect(found?.valid()).toBe(false);
  });
});
