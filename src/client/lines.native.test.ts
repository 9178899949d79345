/** Long lines in very many pieces: too slow for the fast tests. */
import { expect, test } from "vitest";
import { readLines } from "./lines.ts";

/** Milliseconds that a line takes which comes byte by byte. */
async function timeOf(length: number): Promise<number> {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ < length) controller.enqueue(Uint8Array.of(120));
      else controller.close();
    },
  });
  const started = performance.now();
  const [line] = await Array.fromAsync(readLines(body));
  expect(line).toHaveLength(length);
  return performance.now() - started;
}

test("many small pieces of one long line take linear time", async () => {
  await timeOf(20_000);
  const [small, large] = [await timeOf(50_000), await timeOf(200_000)];
  expect(large).toBeLessThan(Math.max(small, 5) * 4 * 3);
});
