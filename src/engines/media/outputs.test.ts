import { expect, test } from "vitest";
import { chooseOutputs } from "./outputs.ts";

const ports = [{ name: "a" }, { name: "b" }];

test("outputs are chosen by their names, each once", () => {
  expect(chooseOutputs(["b", "a", "b"], ports)).toEqual(["b", "a"]);
});

test.each([
  [["a", "z"], 'outputs asks for "z"; the model gives a, b.'],
  [[], "outputs is empty; the model gives a, b."],
])("those that are not there are refused: %j", (wanted, message) => {
  const error = { code: "bad_request", message, details: { field: "outputs", outputs: ["a", "b"] } };
  expect(() => chooseOutputs(wanted, ports)).toThrow(expect.objectContaining(error) as Error);
});
