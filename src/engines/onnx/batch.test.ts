import { expect, it } from "vitest";
import { HearthError } from "../../error.ts";
import { createBatcher } from "./batch.ts";

interface Seen {
  readonly batches: string[][];
  /** Lets the run that goes on end. */
  release(): void;
}

function batcher(
  most: { mostRows?: number; mostCells?: number } = {},
): Seen & ReturnType<typeof createBatcher<string, string>> {
  const batches: string[][] = [];
  let release: () => void = () => {};
  const made = createBatcher<string, string>({
    mostRows: 8,
    mostCells: 100_000,
    ...most,
    lengthOf: (text) => text.length,
    async run(texts) {
      batches.push([...texts]);
      await new Promise<void>((resolve) => (release = resolve));
      if (texts.includes("bad")) throw new Error("cannot");
      return texts.map((text) => text.toUpperCase());
    },
  });
  return { ...made, batches, release: () => release() };
}

async function releaseAll(seen: Seen, count: number): Promise<void> {
  for (let run = 0; run < count; run++) {
    seen.release();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it("runs the first request at once and those that come meanwhile together", async () => {
  const seen = batcher();
  const work = ["a", "b", "c"].map((text) => seen.add([text]));
  expect(seen.batches).toEqual([["a"]]);
  await releaseAll(seen, 2);
  expect(await Promise.all(work)).toEqual([["A"], ["B"], ["C"]]);
  expect(seen.batches).toEqual([["a"], ["b", "c"]]);
});

it("keeps to the most rows and to the most that padding may cost", async () => {
  const seen = batcher({ mostRows: 2 });
  const work = ["a", "b", "c", "d"].map((text) => seen.add([text]));
  await releaseAll(seen, 3);
  await Promise.all(work);
  expect(seen.batches).toEqual([["a"], ["b", "c"], ["d"]]);
  const long = "x".repeat(600);
  const lengths = batcher();
  const more = ["a", "b", long, "c"].map((text) => lengths.add([text]));
  await releaseAll(lengths, 3);
  await Promise.all(more);
  expect(lengths.batches).toEqual([["a"], ["b", "c"], [long]]);
});

it("drops those whose callers have gone", async () => {
  const seen = batcher();
  const controller = new AbortController();
  const first = seen.add(["a"]);
  const second = seen.add(["b"], controller.signal);
  const third = seen.add(["c"]);
  controller.abort();
  await Promise.all([expect(second).rejects.toThrow(HearthError), releaseAll(seen, 2)]);
  await Promise.all([first, third]);
  expect(seen.batches).toEqual([["a"], ["c"]]);
});

it("tells all who were in a run that failed, and goes on", async () => {
  const seen = batcher();
  const bad = seen.add(["bad"]);
  const good = seen.add(["good"]);
  await Promise.all([expect(bad).rejects.toThrow("cannot"), releaseAll(seen, 2)]);
  expect(await good).toEqual(["GOOD"]);
});
