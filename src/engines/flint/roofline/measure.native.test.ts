import { expect, it } from "vitest";
import { engineEnvironment } from "../../../config/environment.ts";
import { measurePeak } from "./measure.ts";

it("measures the peak in a process of its own, and gives up when asked to", async () => {
  const rates = await measurePeak({ threads: 2, env: engineEnvironment() });
  for (const { oneThread, allThreads } of Object.values(rates ?? {})) {
    expect(oneThread).toBeGreaterThan(1e9);
    expect(allThreads).toBeGreaterThan(1e9);
  }
  expect(Object.keys(rates ?? {})).toEqual(["pairs", "quads"]);
  const signal = AbortSignal.timeout(50);
  await expect(measurePeak({ threads: 1, env: engineEnvironment(), signal })).rejects.toMatchObject({
    name: "TimeoutError",
  });
});
