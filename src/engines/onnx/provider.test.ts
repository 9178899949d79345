import { expect, it } from "vitest";
import { differs } from "./compare.ts";
import { probeFeeds } from "./probe.ts";
import { findProvider } from "./provider.ts";
import type { Runtime } from "./runtime.ts";

function runtime(...names: readonly string[]): Runtime {
  const backends = ["cpu", "webgpu", "cuda", "coreml"].map((name) => ({ name, bundled: names.includes(name) }));
  return { listSupportedBackends: () => backends } as unknown as Runtime;
}

it("takes what a device stands for, and says why it cannot", () => {
  expect(findProvider("webgpu", runtime("cpu", "webgpu"))).toEqual({ device: "webgpu", providers: ["webgpu", "cpu"] });
  expect(findProvider("cuda", runtime("cpu", "webgpu"))).toMatch(/cuda is not part of this build.*has cpu, webgpu/);
  expect(findProvider("auto", runtime("cpu", "webgpu"))).toMatchObject({ device: "cpu" });
  expect(findProvider("auto", runtime("cpu", "cuda"))).toMatchObject({ device: "cuda" });
});

it("takes Apple's neural processor through CoreML, and none where there is no provider for one", () => {
  expect(findProvider("npu", runtime("cpu", "coreml"), "darwin")).toMatchObject({ device: "npu" });
  expect(findProvider("npu", runtime("cpu"), "linux")).toMatch(/no provider for a neural processor/);
});

it("notices numbers that are not the CPU's, and takes rounding for what it is", () => {
  const tensor = (data: Float32Array) => ({ y: { type: "float32", shape: [data.length], data } }) as const;
  const right = Float32Array.from({ length: 100 }, (_, index) => Math.sin(index));
  expect(differs(tensor(right.map((value) => value * 1.001)), tensor(right))).toBeUndefined();
  // What the WebGPU provider gives for one public model of voice activity.
  expect(differs(tensor(Float32Array.of(0.0643)), tensor(Float32Array.of(0.0069)))).toMatch(/off by 0.057/);
  expect(differs(tensor(Float32Array.of(NaN)), tensor(Float32Array.of(1)))).toMatch(/not a number/);
  expect(differs({}, tensor(right))).toMatch(/is missing/);
});

it("makes one input for a model that nobody knows", () => {
  const feeds = probeFeeds(
    [
      { name: "input_ids", type: "int64", shape: ["batch", "length"] },
      { name: "attention_mask", type: "int64", shape: ["batch", "length"] },
      { name: "token_type_ids", type: "int64", shape: ["batch", "length"] },
      { name: "pixels", type: "float32", shape: [1, 3, undefined, undefined] },
    ],
    8,
  );
  expect(feeds?.["input_ids"]?.shape).toEqual([1, 8]);
  expect(feeds?.["attention_mask"]?.data).toEqual(new BigInt64Array(8).fill(1n));
  expect(feeds?.["token_type_ids"]?.data).toEqual(new BigInt64Array(8));
  expect(feeds?.["pixels"]?.data).toHaveLength(3 * 64);
  expect(probeFeeds([{ name: "x", type: "string", shape: [1] }], 8)).toBeUndefined();
});
