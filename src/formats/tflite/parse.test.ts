import { describe, expect, test } from "vitest";
import { flexMapBytes, metadataBytes, tfliteBytes, zipBytes } from "../../../test/make-tflite.ts";
import type { TinyTflite } from "../../../test/make-tflite.ts";
import { HearthError } from "../../error.ts";
import { memorySource } from "../protobuf/source.ts";
import { readFlexMap } from "./flexbuffer.ts";
import { kindOfTflite, signatureOf, tasksOf } from "./kind.ts";
import { readMetadata } from "./metadata.ts";
import { readPacked } from "./packed.ts";
import { parseTflite } from "./parse.ts";

const classifier: TinyTflite = {
  tensors: [
    { name: "image", type: 3, shape: [1, 8, 8, 3], scale: 0.0078125, zeroPoint: 128 },
    { name: "weights", type: 3, shape: [4, 192], buffer: 1, scale: 0.02, zeroPoint: 120 },
    { name: "logits", type: 3, shape: [1, 4], scale: 0.1, zeroPoint: 3 },
    { name: "probability", type: 3, shape: [1, 4], scale: 1 / 256, zeroPoint: 0 },
  ],
  inputs: [0],
  outputs: [3],
  operators: [
    { code: 9, inputs: [0, 1, -1], outputs: [2] },
    { code: 25, inputs: [2], outputs: [3] },
  ],
  buffers: [new Uint8Array(4 * 192)],
  signature: { key: "serve", inputs: ["picture"], outputs: ["scores"] },
};

function parse(bytes: Uint8Array): ReturnType<typeof parseTflite> {
  return parseTflite(memorySource(bytes), "model.tflite");
}

describe("a TFLite file", () => {
  test("is read with its tensors, operators, scales and signatures", () => {
    const model = parse(tfliteBytes(classifier));
    expect(model.description).toBe("made by a test");
    expect(model.subgraphs[0]?.tensors[1]).toMatchObject({
      name: "weights",
      type: "uint8",
      shape: [4, 192],
      buffer: 1,
    });
    expect(model.subgraphs[0]?.operators.map(({ code, inputs }) => [code, inputs])).toEqual([
      [9, [0, 1, -1]],
      [25, [2]],
    ]);
    expect(signatureOf(model)).toEqual({
      inputs: [
        { name: "picture", type: "uint8", shape: [1, 8, 8, 3], quantization: { scale: 0.0078125, zeroPoint: 128 } },
      ],
      outputs: [{ name: "scores", type: "uint8", shape: [1, 4], quantization: { scale: 1 / 256, zeroPoint: 0 } }],
    });
    expect(signatureOf(model, "other")).toBeUndefined();
  });

  test("is known by its shapes and operators", () => {
    const model = parse(tfliteBytes(classifier));
    expect(kindOfTflite(model)).toBe("classifier");
    expect(tasksOf("classifier")).toEqual(["classify", "infer"]);
    const { tensors, inputs, buffers = [] } = classifier;
    const plain = { tensors, inputs, buffers, operators: classifier.operators.slice(0, 1), outputs: [2] };
    expect(kindOfTflite(parse(tfliteBytes(plain)))).toBe("other");
  });

  test("says how pictures are normalized, and has the names of its classes at its end", () => {
    const metadata = metadataBytes({ mean: 127.5, std: 127.5, labels: "labels.txt" });
    const bytes = tfliteBytes({ ...classifier, metadata });
    const whole = Uint8Array.from([...bytes, ...zipBytes("labels.txt", "cat\ndog\nowl\nfox\n")]);
    const model = parse(whole);
    const found = readMetadata(model, memorySource(whole));
    expect(found).toMatchObject({ name: "tiny", description: "a tiny model", author: "somebody" });
    expect(found?.inputs[0]?.normalization).toEqual({ mean: [127.5], std: [127.5] });
    expect(found?.outputs[0]?.labels).toEqual(["cat", "dog", "owl", "fox"]);
    expect(readMetadata(model, memorySource(bytes))?.outputs[0]?.labels).toBeUndefined();
  });

  test("is found in a file with other things, one after another", () => {
    const model = tfliteBytes(classifier);
    const packed = Uint8Array.from([
      ...new TextEncoder().encode("Left\nTFL3 Right"),
      ...model,
      ...tfliteBytes({ ...classifier, outputs: [2] }),
    ]);
    const found = readPacked(packed, "assets.data");
    expect(found.map((file) => file.model.subgraphs[0]?.outputs)).toEqual([[3], [2]]);
    expect(found[0]?.bytes).toEqual(model);
  });

  test("has the options of custom operators as a map of numbers", () => {
    const options = { max_detections: 10, nms_iou_threshold: 0.5, y_scale: 10, use_regular_nms: 0 };
    expect(Object.fromEntries(readFlexMap(flexMapBytes(options)) ?? [])).toEqual(options);
    expect(readFlexMap(new Uint8Array(3))).toBeUndefined();
  });
});

describe("a damaged file is refused with the part that is wrong", () => {
  const change = (edit: Partial<TinyTflite>): Uint8Array => tfliteBytes({ ...classifier, ...edit });
  test.each([
    ["an input that is no tensor", change({ inputs: [9] }), "subgraphs[0]", "the tensor 9 of 4"],
    [
      "an operator that reads one",
      change({ operators: [{ code: 9, inputs: [7], outputs: [2] }] }),
      "subgraphs[0].operators[0]",
      "the tensor 7 of 4",
    ],
    ["weights of another size", change({ buffers: [new Uint8Array(5)] }), "subgraphs[0].tensors[1]", "needs 768 bytes"],
    ["data in a buffer that is not there", change({ buffers: [] }), "subgraphs[0].tensors[1]", "buffer 1 of 1"],
    [
      "a type that is not known",
      change({ tensors: [{ name: "x", type: 77, shape: [1] }] }),
      "subgraphs[0].tensors",
      "type 77",
    ],
    ["a negative size", change({ tensors: [{ name: "x", type: 0, shape: [-5] }] }), "subgraphs[0].tensors", "[-5]"],
  ])("%s", (_name, bytes, field, text) => {
    expect(() => parse(bytes)).toThrow(
      expect.objectContaining({
        code: "model_malformed",
        message: expect.stringContaining(text) as string,
        details: expect.objectContaining({ field }) as object,
      }),
    );
  });

  test("another kind of file, one that ends too soon, and an older version", () => {
    expect(() => parse(new TextEncoder().encode("GGUF and more"))).toThrow(HearthError);
    expect(() => parse(tfliteBytes(classifier).slice(0, 200))).toThrow(/file has 200/);
    const old = tfliteBytes(classifier);
    const view = new DataView(old.buffer);
    view.setUint32(view.getUint32(0, true) + 8, 1, true);
    expect(() => parse(old)).toThrow(expect.objectContaining({ code: "model_unsupported" }));
  });
});
