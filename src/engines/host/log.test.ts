import { expect, it } from "vitest";
import { createLogTail } from "./log.ts";

it("keeps the newest lines of a child's output and no more", () => {
  const log = createLogTail();
  for (let index = 0; index < 1000; index++) log.push(`line ${index}\npart`);
  log.push("x".repeat(100_000));
  const lines = log.lines();
  expect(lines.length).toBeLessThanOrEqual(41);
  expect(lines.at(-2)).toBe("partline 999");
  expect(lines.at(-1)?.length).toBe(500);
});

it("joins a line that comes in pieces", () => {
  const log = createLogTail();
  log.push("GGML_");
  log.push("ASSERT failed\n\n");
  expect(log.lines()).toEqual(["GGML_ASSERT failed"]);
});
