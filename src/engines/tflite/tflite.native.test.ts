import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { testPack } from "../../../test/pack.ts";
import { fetchTflite, loadTflite, notices } from "../../../test/tflite-house.ts";
import type { LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { Box, Tensor } from "../../spec/media.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import { openPictures } from "../media/image.ts";
import golden from "./__fixtures__/golden.json" with { type: "json" };
import { drawHand } from "../../../test/draw-hand.ts";
import { tfliteLibrary } from "./setup.ts";

const folder = await testPack("tflite");
const loaded = new Map<string, Promise<LoadedModel>>();

async function open(name: string, options?: LoadOptions): Promise<LoadedModel> {
  const key = `${name} ${JSON.stringify(options ?? {})}`;
  const model = loaded.get(key) ?? loadTflite(name, options);
  loaded.set(key, model);
  return await model;
}

async function run<Name extends TaskName>(
  model: LoadedModel,
  task: Name,
  request: Tasks[Name]["request"],
): Promise<Tasks[Name]["result"]> {
  if (!model.perform) throw new Error("it has no tasks");
  return await model.perform(task, request);
}

afterAll(async () => {
  for (const model of await Promise.allSettled(loaded.values())) {
    if (model.status === "fulfilled") await model.value.dispose();
  }
});

interface Output {
  readonly type: string;
  readonly shape: readonly number[];
  readonly step: number;
  readonly values: readonly number[];
}

/** As scripts/golden/tflite.py makes it. */
function probe(type: Tensor["type"], shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const pixel = (index: number): number => (index * 37 + (index >> 4) * 11) % 256;
  if (type === "uint8") return { type, shape, data: Uint8Array.from({ length: count }, (_, index) => pixel(index)) };
  return {
    type: "float32",
    shape,
    data: Float32Array.from({ length: count }, (_, index) => Math.fround(Math.fround(pixel(index) / 127.5) - 1)),
  };
}

const goldenOutputs: Readonly<Record<string, { readonly outputs: Readonly<Record<string, Output>> }>> = golden;

describe.skipIf(folder === undefined)("TFLite models", () => {
  it.each(Object.entries(goldenOutputs))(
    "%s gives what TensorFlow's own runtime does",
    async (file, { outputs: expected }) => {
      const name = file.replace(/-([^-]+)\.tflite$/, ":$1");
      const { info } = await fetchTflite(name);
      const inputs = Object.fromEntries(
        (info.signature?.inputs ?? []).map(({ name: input, type, shape }) => [input, probe(type, shape.map(Number))]),
      );
      const { outputs } = await run(await open(name), "infer", { inputs });
      expect(Object.keys(outputs).toSorted()).toEqual(Object.keys(expected).toSorted());
      for (const [key, { shape, step, values }] of Object.entries(expected)) {
        const tensor = outputs[key];
        expect(tensor?.shape).toEqual(shape);
        const allowed = 1e-4 * Math.max(1, ...values.map(Math.abs));
        for (const [index, value] of values.entries()) {
          expect(Math.abs(Number(tensor?.data[index * step] ?? NaN) - value)).toBeLessThanOrEqual(allowed);
        }
      }
    },
  );

  it("classify what a picture shows", async () => {
    const { labels } = await run(await open("mobilenet:v1"), "classify", {
      images: [photo("chelsea"), photo("coffee")],
      topK: 2,
    });
    expect(labels.map(([best]) => best?.label)).toEqual(["Egyptian cat", "espresso"]);
    expect(labels[0]?.[0]?.score).toBeGreaterThan(0.8);
    expect(labels[0]).toHaveLength(2);
  });

  it("find objects, and draw them", async () => {
    const model = await open("ssd-mobilenet:v1");
    const { objects, drawn } = await run(model, "detect", { image: photo("coffee"), draw: true });
    expect(objects.map(({ label }) => label)).toEqual(["cup", "dining table"]);
    // The cup is in the left half, under the upper edge.
    expectNear(objects[0]?.box, { x: 76, y: 7, width: 123, height: 143 }, 12);
    expect([drawn?.width, drawn?.height]).toEqual([280, 187]);
    const cat = await run(model, "detect", { image: photo("chelsea"), limit: 1 });
    expect(cat.objects.map(({ label }) => label)).toEqual(["cat"]);
    expect(cat.drawn).toBeUndefined();
  });

  it("name what they find by the list in their own file", async () => {
    const model = await open("efficientdet:lite0");
    const { objects } = await run(model, "detect", { image: photo("chelsea") });
    expect(objects.map(({ label }) => label)).toEqual(["cat"]);
    expectNear(objects[0]?.box, { x: 4, y: 1, width: 267, height: 184 }, 12);
  });

  it("outline a cat, and a person in front of a camera", async () => {
    const { segments } = await run(await open("deeplab:v3"), "segment", { image: photo("chelsea") });
    expect(segments.map(({ label }) => label)).toEqual(["cat"]);
    const [{ mask } = { mask: undefined }] = segments;
    expect([mask?.width, mask?.height, mask?.data.length]).toEqual([280, 186, 280 * 186]);
    expect(covered(mask?.data)).toBeGreaterThan(0.6);
    const person = await run(await open("selfie-segmentation:general"), "segment", { image: photo("astronaut") });
    expect(person.segments.map(({ label }) => label)).toEqual(["foreground"]);
    const data = person.segments[0]?.mask.data;
    // Her face is in it, the flag behind her is not.
    expect(data?.[70 * 320 + 140]).toBeGreaterThan(200);
    expect(data?.[20 * 320 + 10]).toBeLessThan(50);
  });

  it.each(["blazeface:short", "blazeface:full"])("find a face and its eyes: %s", async (name) => {
    const model = await open(name);
    const { figures } = await run(model, "pose", { image: photo("astronaut") });
    expect(figures).toHaveLength(1);
    expectNear(figures[0]?.box, { x: 110, y: 47, width: 62, height: 62 }, 10);
    const eye = figures[0]?.keypoints.find((point) => point.name === "left eye");
    expect(Math.hypot((eye?.x ?? 0) - 154, (eye?.y ?? 0) - 66)).toBeLessThan(6);
    const { objects } = await run(model, "detect", { image: photo("astronaut") });
    expect(objects.map(({ label }) => label)).toEqual(["face"]);
    expect((await run(model, "pose", { image: photo("chelsea") })).figures).toEqual([]);
  });

  it("find a person with one model and the joints with another", async () => {
    const model = await open("blazepose:lite");
    const { figures } = await run(model, "pose", { image: photo("astronaut") });
    expect(figures).toHaveLength(1);
    expect(figures[0]?.keypoints).toHaveLength(33);
    const joint = (name: string): { x: number; y: number } =>
      figures[0]?.keypoints.find((point) => point.name === name) ?? { x: 0, y: 0 };
    expectNear({ ...joint("nose"), width: 0, height: 0 }, { x: 138, y: 80, width: 0, height: 0 }, 8);
    expect(joint("left shoulder").x - joint("right shoulder").x).toBeGreaterThan(90);
    expect((await run(model, "pose", { image: photo("coffee") })).figures).toEqual([]);
  });

  it.each([0, 90])("find the joints of a hand that is turned by %i degrees", async (turn) => {
    const model = await open("hand-landmarks:full");
    const pictures = await openPictures(tfliteLibrary(folder ?? "").sharp);
    const { figures } = await run(model, "pose", { image: { bytes: await drawHand(pictures, turn) }, threshold: 0.3 });
    expect(figures.map(({ label, keypoints }) => [label, keypoints.length])).toEqual([["right", 21]]);
    // Where the drawing has the tips of its fingers, before it is turned.
    const tips = {
      "thumb tip": [115, 272],
      "index tip": [168, 143],
      "middle tip": [221, 106],
      "ring tip": [278, 122],
      "little tip": [325, 179],
    };
    const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
    for (const [name, [x = 0, y = 0]] of Object.entries(tips)) {
      const found = figures[0]?.keypoints.find((point) => point.name === name);
      const place = { x: 240 + (x - 240) * cos - (y - 270) * sin, y: 270 + (x - 240) * sin + (y - 270) * cos };
      expect(Math.hypot((found?.x ?? 0) - place.x, (found?.y ?? 0) - place.y)).toBeLessThan(25);
    }
  });

  it("refuse what they cannot use, and go on", async () => {
    const model = await open("ssd-mobilenet:v1");
    const refused = async (work: Promise<unknown>, error: object): Promise<void> => {
      await expect(work).rejects.toMatchObject(error);
    };
    await refused(run(model, "classify", { images: [photo("coffee")] }), { code: "unsupported_capability" });
    await refused(run(model, "detect", { image: { bytes: photo("coffee").bytes.subarray(0, 3000) } }), {
      code: "bad_request",
    });
    await refused(run(model, "infer", { inputs: {} }), {
      code: "bad_request",
      message: expect.stringContaining("is missing") as string,
    });
    const input = "normalized_input_image_tensor";
    const small: Tensor = { type: "uint8", shape: [1, 2, 2, 3], data: new Uint8Array(12) };
    await refused(run(model, "infer", { inputs: { [input]: small } }), { code: "bad_request" });
    await refused(run(model, "infer", { inputs: {}, signature: "x" }), { details: { field: "signature" } });
    expect((await run(model, "detect", { image: photo("coffee") })).objects).toHaveLength(2);
  });

  it("take values for codes", async () => {
    const model = await open("ssd-mobilenet:v1");
    const { info } = await fetchTflite("ssd-mobilenet:v1");
    const [input] = info.signature?.inputs ?? [];
    const codes = probe("uint8", [1, 300, 300, 3]);
    const { scale = 1, zeroPoint = 0 } = input?.quantization ?? {};
    const values = Float32Array.from(codes.data as Uint8Array, (code) => scale * (code - zeroPoint));
    const floats: Tensor = { type: "float32", shape: [1, 300, 300, 3], data: values };
    const one = await run(model, "infer", { inputs: { [input?.name ?? ""]: codes } });
    const other = await run(model, "infer", { inputs: { [input?.name ?? ""]: floats } });
    expect(other.outputs).toEqual(one.outputs);
  });

  it("give the outputs that are asked for", async () => {
    const model = await open("ssd-mobilenet:v1");
    const inputs = { normalized_input_image_tensor: probe("uint8", [1, 300, 300, 3]) };
    const { outputs: all } = await run(model, "infer", { inputs });
    const [name = ""] = Object.keys(all).slice(1);
    expect((await run(model, "infer", { inputs, outputs: [name] })).outputs).toEqual({ [name]: all[name] });
    const wrong = run(model, "infer", { inputs, outputs: ["z"] });
    await expect(wrong).rejects.toMatchObject({ details: { field: "outputs", outputs: Object.keys(all) } });
  });

  it("say why they do not run on a GPU, where there is none", async () => {
    const model = await open("blazeface:short", { device: "webgpu" });
    const reason = /runs on the CPU, not on webgpu: \w/.test(notices.at(-1) ?? "");
    expect(model.device === "cpu" ? reason : !reason).toBe(true);
    expect((await run(model, "pose", { image: photo("astronaut") })).figures).toHaveLength(1);
  });
});

function photo(name: string): { bytes: Uint8Array } {
  return { bytes: readFileSync(new URL(`__fixtures__/${name}.jpg`, import.meta.url)) };
}

function expectNear(found: Box | undefined, wanted: Box, pixels: number): void {
  for (const side of ["x", "y", "width", "height"] as const) {
    expect(Math.abs((found?.[side] ?? NaN) - wanted[side])).toBeLessThanOrEqual(pixels);
  }
}

function covered(mask: Uint8Array = new Uint8Array()): number {
  return mask.filter((value) => value > 127).length / mask.length;
}
