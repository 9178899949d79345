import { expect, it, vi } from "vitest";
import { createGrammarGuard } from "./guard.ts";

it("ends an engine that chooses one token for ever", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const seen: string[] = [];
  const guard = createGrammarGuard((what) => void seen.push(what), { growthBytes: Infinity, sampleMs: 1000 });
  const watch = guard.watch();
  await watch.sampling(async () => vi.advanceTimersByTime(900));
  vi.advanceTimersByTime(5000);
  expect(seen).toEqual([]);
  const stuck = Promise.withResolvers<void>();
  const work = watch.sampling(() => stuck.promise);
  vi.advanceTimersByTime(1100);
  expect(seen[0]).toMatch(/more than 1000 ms/);
  stuck.resolve();
  await work;
  watch.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it("ends an engine that grows without measure, and watches no longer than it must", () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const seen: string[] = [];
  const guard = createGrammarGuard((what) => void seen.push(what), { growthBytes: -(1024 ** 4), sampleMs: 1000 });
  const [first, second] = [guard.watch(), guard.watch()];
  vi.advanceTimersByTime(60);
  expect(seen[0]).toMatch(/bytes of memory/);
  first.stop();
  first.stop();
  expect(vi.getTimerCount()).toBe(1);
  second.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
