import { describe, expect, test } from "vitest";
import { tensorFromJson, tensorToJson } from "./tensor-json.ts";

describe("tensors in JSON", () => {
  test.each([
    ["FP32", [1.5, -2]],
    ["FP16", [1.5, -2]],
    ["FP64", [0.1, 2]],
    ["INT8", [-128, 127]],
    ["UINT8", [0, 255]],
    ["INT64", [-5, "9223372036854775807"]],
    ["UINT64", [1, "18446744073709551615"]],
    ["BOOL", [true, false]],
    ["BYTES", ["a", "ü"]],
  ])("%s comes back as it was", (datatype, data) => {
    const tensor = tensorFromJson({ name: "x", shape: [2], datatype, data });
    expect(tensorToJson("x", tensor)).toEqual({ name: "x", shape: [2], datatype, data });
  });

  test("data may be nested as its shape is", () => {
    const tensor = tensorFromJson({
      name: "x",
      shape: [2, 2],
      datatype: "INT32",
      data: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(tensor.data).toEqual(Int32Array.of(1, 2, 3, 4));
  });

  test.each([
    [{ datatype: "FP8" }, /datatype "FP8"/],
    [{ shape: [3] }, /has 2 elements; its shape holds 3/],
    [{ shape: [1e9, 1e9] }, /holds no tensor/],
    [{ shape: [-1] }, /holds no tensor/],
    [{ data: [1, "b"] }, /number 1, that is not a number/],
    [{ datatype: "INT64", data: [1, 0.5] }, /not a whole number/],
  ])("what is wrong is named: %o", (change, message) => {
    const tensor = { name: "x", shape: [2], datatype: "FP32", data: [1, 2] as unknown[], ...change };
    expect(() => tensorFromJson(tensor)).toThrow(message);
  });
});
