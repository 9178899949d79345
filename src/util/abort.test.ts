import { expect, test } from "vitest";
import { raceAbort, sleep } from "./abort.ts";
import { createChannel } from "./channel.ts";

test("an abort ends the wait at once with its reason", async () => {
  const controller = new AbortController();
  const wait = sleep(60_000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(wait).rejects.toThrow("enough");
});

test("work that is done first keeps its result, and no listener stays behind", async () => {
  const controller = new AbortController();
  await expect(raceAbort(Promise.resolve(7), controller.signal)).resolves.toBe(7);
  controller.abort();
  await expect(raceAbort(Promise.resolve(7), controller.signal)).rejects.toThrow(/abort/i);
});

test("a channel gives its values in order, then ends or throws", async () => {
  const channel = createChannel<number>();
  channel.push(1);
  setImmediate(() => {
    channel.push(2);
    channel.fail(new Error("broken"));
  });
  const seen: number[] = [];
  const read = async (): Promise<void> => {
    for await (const value of channel) seen.push(value);
  };
  await expect(read()).rejects.toThrow("broken");
  expect(seen).toEqual([1, 2]);
});
