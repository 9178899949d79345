import { expect, it } from "vitest";
import { peakModule, peakOperations } from "./peak.ts";

it.each(["pairs", "quads"] as const)("a turn of the %s kernel is a product of every sum with the codes", (kind) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const bytes = new Int8Array(memory.buffer, 0, 32 * 13);
  bytes.forEach((_, index) => (bytes[index] = (index * 37) & 0x7f));
  const before = bytes.slice();
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(peakModule()), { memory: { 0: memory } });
  (exports[kind] as (address: number, turns: number) => void)(0, 1);
  const width = kind === "pairs" ? 2 : 4;
  const [Lanes, wrap] = kind === "pairs" ? [Int16Array, 16] : [Int32Array, 32];
  const [sums, old] = [
    new Lanes(memory.buffer, 32, 192 / (width / 2)),
    new Lanes(before.buffer, 32, 192 / (width / 2)),
  ];
  expect([...sums]).toEqual(
    [...old].map((sum, lane) => {
      const at = (index: number): number => (before[32 + index] ?? 0) * (before[index % 32] ?? 0);
      const products = Array.from({ length: width }, (_, index) => at(lane * width + index));
      const total = products.reduce((all, product) => all + product, sum);
      return Number(BigInt.asIntN(wrap, BigInt(total)));
    }),
  );
});

it("counts the multiplications and additions of twelve sums of 32 products", () => {
  expect(peakOperations).toBe(12 * 32 * 2);
});
