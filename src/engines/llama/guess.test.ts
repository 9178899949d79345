import type { Token } from "node-llama-cpp";
import { describe, expect, it } from "vitest";
import type { Drafter } from "./draft.ts";
import { createBatchCosts, createGuesser } from "./guess.ts";
import type { BatchCosts, Guesser } from "./guess.ts";

const tokens = (...values: number[]): Token[] => values as Token[];

/** Batches that take 10 ms, and each row `rowMs` more. */
function costsOf(rowMs: number): BatchCosts {
  const costs = createBatchCosts();
  for (let rows = 1; rows <= 32; rows++) costs.record({ sequences: 1, rows, ms: 10 + rows * rowMs });
  return costs;
}

function guesserOf(prompt: readonly Token[], more: { costs?: BatchCosts; drafter?: Drafter } = {}): Guesser {
  const { costs = costsOf(0), drafter } = more;
  return createGuesser({ prompt, costs, drafter, running: () => 1, allowed: (token) => token < 100, now: () => 0 });
}

const drafterOf = (guess: readonly Token[], asked: number[] = []): Drafter => ({
  follow: async (history) => history.slice(-1),
  async guess(_, most) {
    asked.push(most);
    return guess.slice(0, most);
  },
});

describe("guesses of an answer", () => {
  it("are what followed the same words before", async () => {
    const guesser = guesserOf(tokens(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3));
    expect((await guesser.next(100)).slice(0, 4)).toEqual([4, 5, 6, 7]);
    guesser.tell(tokens(4, 5, 6, 7, 8));
    expect((await guesser.next(1)).slice(0, 1)).toEqual([9]);
  });

  it("are no more than there is room for", async () => {
    const guesser = guesserOf(tokens(1, 2, 3, 4, 5, 1, 2, 3));
    expect(await guesser.next(2)).toEqual([4, 5]);
    expect(await guesser.next(0)).toEqual([]);
  });

  it("stop before a token that ends the text or that the model does not know", async () => {
    const guesser = guesserOf(tokens(1, 2, 3, 4, 100, 6, 1, 2, 3));
    expect(await guesser.next(8)).toEqual([4]);
  });

  it("are not made where a row costs as much as a batch", async () => {
    const guesser = guesserOf(tokens(1, 2, 3, 4, 5, 1, 2, 3), { costs: costsOf(50) });
    expect(await guesser.next(8)).toEqual([]);
  });

  it("are tried again now and then where they seemed too dear", async () => {
    const guesser = guesserOf(tokens(1, 2, 3, 4, 5), { costs: costsOf(1000) });
    let tried = 0;
    for (let round = 0; round < 300; round++) {
      guesser.tell(tokens(1, 2, 3));
      if ((await guesser.next(8)).length > 0) tried++;
    }
    expect(tried).toBe(2);
  });

  it("cease when they are wrong, and begin again some time later", async () => {
    // Always the same three words, and always another one after them.
    const guesser = guesserOf(tokens(1, 2, 3, 9), { costs: costsOf(2) });
    const guessed: number[] = [];
    for (let round = 0; round < 400; round++) {
      guesser.tell(tokens(1, 2, 3));
      guessed.push((await guesser.next(8)).length);
      guesser.tell(tokens(10 + (round % 80)));
    }
    const tried = guessed.filter((count) => count > 0).length;
    expect(guessed[0]).toBeGreaterThan(0);
    expect(tried).toBeGreaterThan(1);
    expect(tried).toBeLessThan(40);
  });

  it("come from the draft model where the text has none", async () => {
    const drafter = drafterOf(tokens(7, 8));
    expect(await guesserOf(tokens(1, 2, 3, 4), { drafter }).next(8)).toEqual([7, 8]);
    expect((await guesserOf(tokens(1, 2, 3, 4, 1, 2, 3), { drafter }).next(8))[0]).toBe(4);
  });

  it("of a draft model that is always wrong are asked for ever less", async () => {
    const asked: number[] = [];
    const guesser = guesserOf(tokens(1), { costs: costsOf(2), drafter: drafterOf(tokens(7, 8), asked) });
    for (let round = 0; round < 400; round++) {
      await guesser.next(8);
      guesser.tell(tokens(10 + (round % 80)));
    }
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.length).toBeLessThan(60);
  });
});
