import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { toFloat32 } from "../../engines/flint/weights/codecs/float.ts";
import { openCheckpoint } from "../../formats/checkpoint/open.ts";
import type { Text } from "../evaluate/text.ts";
import { defaultText } from "../evaluate/text.ts";
import { calibrateModel } from "./calibrate.ts";
import type { CalibrateOptions } from "./calibrate.ts";
import { fillFolder } from "./fill.ts";
import { openSource } from "../source.ts";

async function setUp(own: Partial<CalibrateOptions> = {}): Promise<CalibrateOptions> {
  const folder = temporaryFolder();
  const source = await makeTinyLlama(join(folder, "tiny.gguf"), { embedding: 64, layers: 2 });
  const { text } = await defaultText();
  return {
    source,
    name: "tiny",
    out: join(folder, "made"),
    method: "gptq",
    group: 32,
    text: { name: "part.txt", text: text.slice(0, 9000) },
    threads: 0,
    fill: fillFolder,
    ...own,
  };
}

/** All weights of a folder as floats, by the names of GGUF. */
function weightsOf(folder: string): ReadonlyMap<string, Float32Array> {
  const { file, read, close } = openCheckpoint(folder);
  const weights = new Map<string, Float32Array>();
  for (const { name, offset, sizeBytes, shape, typeName } of file.tensors) {
    const bytes = new Uint8Array(sizeBytes);
    read(offset, bytes);
    const floats = new Float32Array(shape.reduce((product, size) => product * size, 1));
    toFloat32(typeName, bytes, floats);
    weights.set(name, floats);
  }
  close();
  return weights;
}

const quantized = /blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))\.weight/;

describe("a folder of codes", () => {
  test.each([
    ["gptq", {}, "Q4_0"],
    ["gptq", { bits: 8 }, "Q8_0"],
    ["gptq", { group: -1 }, "Q4_0"],
    ["awq", {}, "Q4_1"],
  ] as const)("is read with its codes: %s %o", async (method, own, type) => {
    const options = await setUp({ method, ...own });
    const report = await calibrateModel(options);
    const { file } = await openSource(options.out);
    const coded = file.tensors.filter(({ name }) => quantized.test(name));
    expect(coded).toHaveLength(14);
    expect(new Set(coded.map(({ typeName }) => typeName))).toEqual(new Set([type]));
    expect(report).toMatchObject({ method, weights: expect.any(Number) });
    expect(report.sizeBytes).toBeGreaterThan(0);
    const config = JSON.parse(readFileSync(join(options.out, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config["quantization_config"]).toMatchObject({
      quant_method: method,
      bits: report.bits,
      group_size: report.group,
    });
    expect(readdirSync(options.out).toSorted()).toEqual(
      [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
      ].toSorted(),
    );
  });

  test("has the weights that its codes were chosen for, in the order of the checkpoint", async () => {
    const options = await setUp({ method: "nearest" });
    await calibrateModel(options);
    const made = weightsOf(options.out);
    const source = openGguf(await openSource(options.source), options.source);
    for (const [name, weights] of made) {
      const before = source(name);
      const steps = quantized.test(name) ? roundingStep(before, 32) : undefined;
      weights.forEach((weight, at) => {
        const allowed = steps ? 0.51 * (steps[Math.floor(at / 32)] ?? 0) : Math.abs(before[at]!) * 2 ** -10 + 1e-7;
        expect(Math.abs(weight - before[at]!)).toBeLessThanOrEqual(allowed);
      });
    }
  });

  test("may have its columns in the order of their use", async () => {
    const options = await setUp({ ordered: true });
    await calibrateModel(options);
    const plain = await setUp({});
    await calibrateModel(plain);
    expect(JSON.parse(readFileSync(join(options.out, "config.json"), "utf8"))).toMatchObject({
      quantization_config: { desc_act: true },
    });
    const [ordered, inOrder] = [weightsOf(options.out), weightsOf(plain.out)];
    expect(ordered.get("blk.0.ffn_down.weight")).not.toEqual(inOrder.get("blk.0.ffn_down.weight"));
  });

  test("is made of another folder, with its small files", async () => {
    const first = await setUp({ method: "nearest" });
    const { convert } = await import("../convert/convert.ts");
    const plain = join(first.out, "..", "plain");
    await convert({ source: first.source, out: plain });
    const options = { ...first, source: plain, method: "gptq" as const };
    await calibrateModel(options);
    const names = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];
    for (const name of names) expect(readFileSync(join(options.out, name))).toEqual(readFileSync(join(plain, name)));
    expect(JSON.parse(readFileSync(join(options.out, "config.json"), "utf8"))).toMatchObject({
      ...(JSON.parse(readFileSync(join(plain, "config.json"), "utf8")) as object),
      torch_dtype: "float16",
      quantization_config: { bits: 4 },
    });
    expect(weightsOf(options.out).size).toBe(weightsOf(plain).size);
  });
});

function openGguf({ file }: Awaited<ReturnType<typeof openSource>>, path: string): (name: string) => Float32Array {
  const bytes = readFileSync(path);
  return (name) => {
    const tensor = file.tensors.find((one) => one.name === name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    const floats = new Float32Array(tensor.shape.reduce((product, size) => product * size, 1));
    const start = file.dataOffset + tensor.offset;
    toFloat32(tensor.typeName, new Uint8Array(bytes.subarray(start, start + tensor.sizeBytes)), floats);
    return floats;
  };
}

/** Of 15 steps from the least to the largest number that a group of the symmetric grid has. */
function roundingStep(weights: Float32Array, group: number): Float64Array {
  return Float64Array.from({ length: weights.length / group }, (_, index) => {
    const part = weights.subarray(index * group, (index + 1) * group);
    return (2 * Math.max(...part.map(Math.abs))) / 15 + 1e-4;
  });
}

describe("before the work begins", () => {
  const short: Text = { name: "short.txt", text: "too short" };

  test.each([
    [
      "a text that is too short, with the figures",
      { text: short },
      /^short\.txt gives \d+ tokens in windows of 512; at least 4096 are needed/,
    ],
    ["groups that rows are no whole number of", { method: "awq", group: 128 }, /no whole groups of 128/],
    ["a disk with too little room", { freeBytes: async () => 1000 }, /1000 B are free/],
  ] as const)("is refused: %s", async (_, own, message) => {
    const options = await setUp(own);
    await expect(calibrateModel(options)).rejects.toThrow(message);
    expect(existsSync(options.out)).toBe(false);
  });

  test("weights that are codes already are refused, unless that is allowed", async () => {
    const first = await setUp({ method: "nearest" });
    await calibrateModel(first);
    const again = { ...first, source: first.out, out: `${first.out}-2` };
    await expect(calibrateModel(again)).rejects.toThrow(/quantized already/);
    await calibrateModel({ ...again, allowRequantize: true });
    expect(existsSync(again.out)).toBe(true);
  });
});
