import { describe, expect, it } from "vitest";
import { createSlots } from "./slots.ts";

describe("slots of a KV cache", () => {
  it("go back to the caller whose prompt continues what they hold", async () => {
    const slots = createSlots(3);
    const first = await slots.acquire({ tenant: "ann", tokens: [1, 2, 3] });
    const second = await slots.acquire({ tenant: "ann", tokens: [7, 8, 9] });
    first.release([1, 2, 3, 4]);
    second.release([7, 8, 9]);
    const again = await slots.acquire({ tenant: "ann", tokens: [7, 8, 9, 10] });
    expect([again.index, again.cachedTokens]).toEqual([second.index, 3]);
  });

  it("always leave the last token of the prompt to evaluate", async () => {
    const slots = createSlots(1);
    (await slots.acquire({ tenant: undefined, tokens: [1, 2, 3] })).release([1, 2, 3]);
    expect((await slots.acquire({ tenant: undefined, tokens: [1, 2, 3] })).cachedTokens).toBe(2);
  });

  it("never count tokens of one tenant for another", async () => {
    const slots = createSlots(1);
    (await slots.acquire({ tenant: "ann", tokens: [1, 2, 3] })).release([1, 2, 3]);
    const other = await slots.acquire({ tenant: "bob", tokens: [1, 2, 3, 4] });
    expect(other.cachedTokens).toBe(0);
    other.release([1, 2, 3, 4]);
    expect((await slots.acquire({ tenant: undefined, tokens: [1, 2, 3, 4] })).cachedTokens).toBe(0);
  });

  it("are dealt in the order of asking", async () => {
    const slots = createSlots(1);
    const order: string[] = [];
    const held = await slots.acquire({ tenant: "a", tokens: [1] });
    const turns = ["b", "c", "d"].map(async (name) => {
      const lease = await slots.acquire({ tenant: name, tokens: [1] });
      order.push(name);
      lease.release([]);
    });
    expect([slots.running, slots.waiting]).toEqual([1, 3]);
    held.release([]);
    held.release([]);
    await Promise.all(turns);
    expect(order).toEqual(["b", "c", "d"]);
    expect([slots.running, slots.waiting]).toEqual([0, 0]);
  });

  it("go to those who wait for an answer before those whose work has time", async () => {
    const slots = createSlots(1);
    const order: string[] = [];
    const held = await slots.acquire({ tokens: [1] });
    const turn = async (name: string, priority: "interactive" | "batch"): Promise<void> => {
      const lease = await slots.acquire({ tokens: [1], priority });
      order.push(name);
      lease.release([]);
    };
    const turns = [turn("b1", "batch"), turn("b2", "batch"), turn("i1", "interactive"), turn("i2", "interactive")];
    held.release([]);
    await Promise.all(turns);
    expect(order).toEqual(["i1", "i2", "b1", "b2"]);
  });

  it("say what is lost when they are given away", async () => {
    const slots = createSlots(1);
    (await slots.acquire({ tenant: "ann", tokens: [1, 2] })).release([1, 2, 3]);
    expect(slots.resting).toEqual([{ index: 0, tenant: "ann", tokens: [1, 2, 3] }]);
    const other = await slots.acquire({ tenant: "bob", tokens: [5] });
    expect(other.held).toEqual({ index: 0, tenant: "ann", tokens: [1, 2, 3] });
    expect(slots.resting).toEqual([]);
  });

  it("leave a conversation its slot when another begins alike and can copy the beginning", async () => {
    const slots = createSlots(2, { copies: true });
    const conversation = Array.from({ length: 100 }, (_, index) => index);
    const first = await slots.acquire({ tokens: conversation });
    first.release(conversation);
    const other = await slots.acquire({ tokens: [0, 1, 2, 500] });
    expect(other.index).not.toBe(first.index);
    const again = await slots.acquire({ tokens: [...conversation.slice(0, 90), 500] });
    expect([again.index, again.cachedTokens]).toEqual([first.index, 90]);
  });

  it("drop a caller who gives up waiting", async () => {
    const slots = createSlots(1);
    const held = await slots.acquire({ tenant: "a", tokens: [1] });
    const controller = new AbortController();
    const waiting = slots.acquire({ tenant: "b", tokens: [1] }, controller.signal);
    controller.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    held.release([]);
    expect([slots.running, slots.waiting]).toEqual([0, 0]);
  });

  it("take an empty slot before one that somebody may come back to", async () => {
    const slots = createSlots(2);
    (await slots.acquire({ tenant: "ann", tokens: [1, 2] })).release([1, 2]);
    const other = await slots.acquire({ tenant: "bob", tokens: [5, 6] });
    const back = await slots.acquire({ tenant: "ann", tokens: [1, 2, 3] });
    expect([other.cachedTokens, back.cachedTokens]).toEqual([0, 2]);
  });

  it("refuse everybody once closed", async () => {
    const slots = createSlots(1);
    await slots.acquire({ tenant: "a", tokens: [1] });
    const waiting = slots.acquire({ tenant: "b", tokens: [1] });
    slots.close(new Error("closed"));
    await expect(waiting).rejects.toThrow("closed");
    await expect(slots.acquire({ tenant: "c", tokens: [1] })).rejects.toThrow("closed");
  });
});
