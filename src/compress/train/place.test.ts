import { expect, test } from "vitest";
import { findFixture, fixtureBytes } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { planStudent } from "../distill/student.ts";
import { inputsOf, keptOf, outputOf } from "./tape.ts";

test("values and gradients that are needed at the same time never share a place", () => {
  const { file } = openModel(fixtureBytes(findFixture("qwen3")), "qwen3");
  const { tape, placement } = planStudent(file, { rows: 16, lanes: 1, rank: 2 });
  const { operations, values } = tape;
  const last = 2 * operations.length - 1;
  /** Who wrote each float of a row last. */
  const owners: string[] = Array.from({ length: placement.floats }, () => "");
  const write = (kind: "value" | "gradient", id: number): void => {
    const at = (kind === "value" ? placement.values : placement.gradients)[id] ?? 0;
    owners.fill(`${kind} ${id}`, at, at + (values[id]?.width ?? 0));
  };
  const expectOwn = (kind: "value" | "gradient", id: number): void => {
    const at = (kind === "value" ? placement.values : placement.gradients)[id] ?? 0;
    const own = new Set(owners.slice(at, at + (values[id]?.width ?? 0)));
    expect([...own]).toEqual([`${kind} ${id}`]);
  };
  const touched = new Set<number>();
  for (let time = 0; time <= last; time++) {
    const backwards = time >= operations.length;
    const operation = operations[backwards ? last - time : time];
    if (!operation) throw new Error("no operation");
    const out = outputOf(operation);
    if (backwards) {
      for (const { id } of keptOf(operation)) expectOwn("value", id);
      if (out) expectOwn("gradient", out.id);
      for (const { id } of inputsOf(operation)) {
        if (touched.has(id)) expectOwn("gradient", id);
        touched.add(id);
        write("gradient", id);
      }
      if (out) expectOwn("gradient", out.id);
      continue;
    }
    for (const { id } of inputsOf(operation)) expectOwn("value", id);
    if (out) write("value", out.id);
    for (const { id } of inputsOf(operation)) expectOwn("value", id);
  }
});
