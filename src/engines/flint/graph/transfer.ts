/** Copies the rows of a value from one bank to another; they stand at the same address in both. */
import type { StageRunner } from "./runner.ts";
import type { Plan } from "./plan.ts";
import type { Stage } from "./stages.ts";

export function transferRunner(
  { value, from, bank }: Extract<Stage, { kind: "transfer" }>,
  { values }: Plan,
  memories: readonly WebAssembly.Memory[],
): StageRunner {
  const placed = values[value];
  const source = memories[from];
  const target = memories[bank];
  if (!placed || !source || !target) throw new RangeError(`no value ${value} in bank ${from}`);
  const { address, stride, rows } = placed;
  const bytes = new Uint8Array(target.buffer);
  return {
    alone: true,
    pieces: () => 1,
    run(_, counts) {
      bytes.set(new Uint8Array(source.buffer, address, counts.rows(rows) * stride), address);
    },
  };
}
