import { describe, expect, test } from "vitest";
import { flexMapBytes, tfliteBytes } from "../../../test/make-tflite.ts";
import { memorySource } from "../../formats/protobuf/source.ts";
import { parseTflite } from "../../formats/tflite/parse.ts";
import { blazeAnchors, decodeBlaze } from "./blaze.ts";
import { cutPostProcess } from "./cut.ts";
import { postProcess } from "./postprocess.ts";

/** Three anchors of size 0.2: two nearly at the same place, one elsewhere. */
const anchors = Float32Array.of(0.3, 0.3, 0.2, 0.2, 0.31, 0.3, 0.2, 0.2, 0.7, 0.7, 0.2, 0.2);
const options = {
  max_detections: 4,
  max_classes_per_detection: 1,
  nms_score_threshold: 0.2,
  nms_iou_threshold: 0.5,
  num_classes: 2,
  y_scale: 10,
  x_scale: 10,
  h_scale: 5,
  w_scale: 5,
};
/** The third box is twice as high, and lower by half a height of its anchor. */
const boxes = Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 5 * Math.log(2), 0);
/** With a class for the background in front. */
const scores = Float32Array.of(0, 0.6, 0.1, 0, 0.9, 0.3, 0, 0.1, 0.5);

describe("what an SSD computes becomes objects", () => {
  test("the best box of each place, the best first, and zeros after them", () => {
    const found = postProcess(boxes, scores, { options: new Map(Object.entries(options)), anchors });
    expect(found.count).toBe(2);
    expect([...found.classes]).toEqual([0, 1, 0, 0]);
    expect([...found.scores].map((score) => Math.round(score * 100))).toEqual([90, 50, 0, 0]);
    expect([...found.boxes.subarray(0, 4)].map((edge) => Math.round(edge * 100))).toEqual([21, 20, 41, 40]);
    expect([...found.boxes.subarray(4, 8)].map((edge) => Math.round(edge * 100))).toEqual([60, 60, 100, 80]);
  });

  test("each class on its own, where the model wants that", () => {
    const regular = new Map(Object.entries({ ...options, use_regular_nms: 1, detections_per_class: 1 }));
    const found = postProcess(boxes, scores, { options: regular, anchors });
    expect(found.count).toBe(2);
    expect([...found.classes.subarray(0, 2)]).toEqual([0, 1]);
  });

  test("with codes instead of values, and without the operator, whose work is done here", () => {
    const bytes = tfliteBytes({
      tensors: [
        { name: "boxes", type: 3, shape: [1, 3, 4], scale: 0.05, zeroPoint: 128 },
        { name: "scores", type: 3, shape: [1, 3, 3], scale: 1 / 256 },
        { name: "anchors", type: 3, shape: [3, 4], buffer: 1, scale: 0.01, zeroPoint: 0 },
        ...["a", "b", "c", "d"].map((name) => ({ name, type: 0, shape: [] })),
      ],
      inputs: [0, 1],
      outputs: [3, 4, 5, 6],
      operators: [
        {
          code: "TFLite_Detection_PostProcess",
          inputs: [0, 1, 2],
          outputs: [3, 4, 5, 6],
          options: flexMapBytes(options),
        },
      ],
      buffers: [Uint8Array.from(anchors, (value) => Math.round(value * 100))],
      signature: { key: "serve", inputs: ["x", "y"], outputs: ["count", "scores", "classes", "boxes"] },
    });
    const cut = cutPostProcess(parseTflite(memorySource(bytes), "m"), bytes);
    expect(cut?.order).toEqual([0, 1, 2, 3]);
    expect([...(cut?.processing.anchors ?? [])].map((value) => Math.round(value * 100))).toEqual([
      30, 30, 20, 20, 31, 30, 20, 20, 70, 70, 20, 20,
    ]);
    expect(cut?.processing.options.get("y_scale")).toBe(10);
    const edited = parseTflite(memorySource(cut?.bytes ?? new Uint8Array()), "m");
    expect(edited.subgraphs[0]?.outputs).toEqual([0, 1]);
    expect(edited.subgraphs[0]?.operators).toEqual([]);
    expect(edited.signatures).toEqual([]);
  });
});

describe("MediaPipe's detectors", () => {
  test.each([
    [128, 896],
    [192, 2304],
    [192, 2016],
    [224, 2254],
  ])("of %i pixels have %i boxes", (size, count) => {
    expect(blazeAnchors(size, count)).toHaveLength(count);
  });

  test("of others the layout is not known", () => {
    expect(blazeAnchors(100, 7)).toBeUndefined();
  });

  test("boxes of one face become one", () => {
    const output = { boxes: new Float32Array(896 * 16), scores: new Float32Array(896).fill(-20), size: 128 };
    // Two boxes of the same cell: 32 and 36 pixels wide.
    output.scores.set([5, 4], 0);
    output.boxes.set([60, 60, 32, 32, 60, 50], 0);
    output.boxes.set([60, 60, 36, 36, 64, 50], 16);
    const found = decodeBlaze(output, { threshold: 0.5, limit: 10 });
    expect(found).toHaveLength(1);
    expect(found?.[0]?.score).toBeCloseTo(0.9933, 3);
    const { left = 0, right = 0 } = found?.[0]?.corners ?? {};
    expect((right - left) * 128).toBeGreaterThan(32);
    expect((right - left) * 128).toBeLessThan(36);
    expect((found?.[0]?.points[0]?.x ?? 0) * 128).toBeCloseTo(66, 0);
  });
});
