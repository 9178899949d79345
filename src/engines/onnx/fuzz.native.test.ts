import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  onnxFloats,
  onnxIntegers,
  onnxModel,
  onnxNode,
  onnxValue,
  tensorMap,
  tinyPerceptron,
} from "../../../test/make-onnx.ts";
import { randomUniform } from "../../../test/make-weights.ts";
import { testPack } from "../../../test/pack.ts";
import { memorySource } from "../../formats/protobuf/source.ts";
import { onnxBytes } from "../../formats/onnx/encode.ts";
import { parseOnnx } from "../../formats/onnx/parse.ts";
import type { OnnxModel } from "../../formats/onnx/types.ts";

/** Convolution, pooling, shapes as data, gathering and slicing: operators whose numbers name places in memory. */
function pictureModel(): OnnxModel {
  const ints = (...values: number[]) => ({ kind: "ints", value: values.map(BigInt) }) as const;
  return onnxModel({
    nodes: [
      onnxNode("Conv", ["x", "w"], ["a"], {
        attributes: new Map([
          ["kernel_shape", ints(3, 3)],
          ["pads", ints(1, 1, 1, 1)],
        ]),
      }),
      onnxNode("MaxPool", ["a"], ["b"], {
        attributes: new Map([
          ["kernel_shape", ints(2, 2)],
          ["strides", ints(2, 2)],
        ]),
      }),
      onnxNode("Reshape", ["b", "shape"], ["c"]),
      onnxNode("Gather", ["c", "places"], ["d"], { attributes: new Map([["axis", { kind: "int", value: 1n }]]) }),
      onnxNode("Slice", ["d", "starts", "ends"], ["e"]),
      onnxNode("Transpose", ["e"], ["y"], { attributes: new Map([["perm", ints(1, 0)]]) }),
    ],
    initializers: tensorMap(
      onnxFloats(
        "w",
        [2, 1, 3, 3],
        Float32Array.from({ length: 18 }, (_, index) => index / 9),
      ),
      onnxIntegers("shape", [1, -1]),
      onnxIntegers("places", [0, 3, 5, 7]),
      onnxIntegers("starts", [0, 0]),
      onnxIntegers("ends", [1, 3]),
    ),
    inputs: [onnxValue("x", [1, 1, 8, 8])],
    outputs: [onnxValue("y", ["n", "m"])],
  });
}

function mutate(bytes: Uint8Array, uniform: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(uniform() * limit);
  const copy = bytes.slice();
  for (let round = 0; round < 1 + below(3); round++) {
    const at = below(copy.length);
    const kind = below(3);
    if (kind === 0) copy[at] = copy[at]! ^ (1 << below(8));
    else if (kind === 1) copy[at] = [0, 1, 2, 3, 7, 8, 127, 128, 255][below(9)] ?? 0;
    else copy.copyWithin(at, below(copy.length), below(copy.length));
  }
  return copy;
}

function accepts(bytes: Uint8Array): boolean {
  try {
    parseOnnx(memorySource(bytes), { name: "m" });
    return true;
  } catch {
    return false;
  }
}

const patienceMs = 20_000;

/** One process for many models; a new one where one dies or hangs. */
function createRunner(pack: string): { run(path: string): Promise<string>; end(): void } {
  let child: ChildProcess | undefined;
  const start = async (): Promise<ChildProcess> => {
    const started = fork(new URL("../../../test/onnx-child.ts", import.meta.url), [pack], {
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    await once(started, "message");
    return started;
  };
  return {
    async run(path) {
      child ??= await start();
      const here = child;
      const over = new AbortController();
      const { signal } = over;
      const gone = once(here, "exit", { signal }).then(([code, name]) => `died: ${String(name ?? code)}`);
      const answer = once(here, "message", { signal }).then(([text]) => String(text));
      here.send(path);
      const timer = setTimeout(() => here.kill("SIGKILL"), patienceMs);
      const outcome = await Promise.race([answer, gone]);
      clearTimeout(timer);
      over.abort();
      await Promise.allSettled([gone, answer]);
      if (outcome.startsWith("died")) child = undefined;
      return outcome;
    },
    end: () => void child?.kill("SIGKILL"),
  };
}

const pack = await testPack("onnx");

it.skipIf(pack === undefined)(
  "rejects 1,000 damaged ONNX files or runs them, and only its child may die",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "hearth-onnx-"));
    const runner = createRunner(pack ?? "");
    const uniform = randomUniform(7);
    const outcomes = new Map<string, number>();
    const whole: string[] = [];
    const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    try {
      for (const [index, model] of [tinyPerceptron(), pictureModel()].entries()) {
        const bytes = await onnxBytes(model);
        for (let mutant = 0; mutant < 500; mutant++) {
          const damaged = mutant === 0 ? bytes : mutate(bytes, uniform);
          if (!accepts(damaged)) {
            count("rejected");
            continue;
          }
          const path = join(folder, `${index}-${mutant}.onnx`);
          await writeFile(path, damaged);
          const outcome = await runner.run(path);
          if (mutant === 0) whole.push(outcome);
          if (/^(unknown|died)/.test(outcome)) console.log(path, outcome);
          count(outcome.split(":")[0] ?? "");
        }
      }
    } finally {
      runner.end();
      await rm(folder, { recursive: true });
    }
    console.log(Object.fromEntries(outcomes));
    expect(whole).toEqual(["ran", "ran"]);
    expect([...outcomes.values()].reduce((sum, one) => sum + one, 0)).toBe(1000);
    expect(outcomes.get("ran")).toBeGreaterThan(100);
    expect(outcomes.get("rejected")).toBeGreaterThan(100);
    // What the reader lets through does not bring the library down.
    expect(outcomes.get("died") ?? 0).toBe(0);
    expect(outcomes.get("unknown") ?? 0).toBe(0);
  },
  600_000,
);
