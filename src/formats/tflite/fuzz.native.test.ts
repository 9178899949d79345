import { expect, test } from "vitest";
import { flexMapBytes, metadataBytes, tfliteBytes, zipBytes } from "../../../test/make-tflite.ts";
import { mutateTflite } from "../../../test/mutate-tflite.ts";
import { HearthError } from "../../error.ts";
import { memorySource } from "../protobuf/source.ts";
import { kindOfTflite, signatureOf } from "./kind.ts";
import { readFlexMap } from "./flexbuffer.ts";
import { readMetadata } from "./metadata.ts";
import { parseTflite } from "./parse.ts";

const options = flexMapBytes({ max_detections: 3, num_classes: 2, nms_iou_threshold: 0.5 });
const model = tfliteBytes({
  tensors: [
    { name: "image", type: 0, shape: [1, 4, 4, 3] },
    { name: "boxes", type: 0, shape: [1, 2, 4], buffer: 1 },
    { name: "scores", type: 3, shape: [1, 2, 3], buffer: 2, scale: 0.1 },
    { name: "anchors", type: 0, shape: [2, 4], buffer: 1 },
    ...["a", "b", "c", "d"].map((name) => ({ name, type: 0, shape: [] })),
  ],
  inputs: [0],
  outputs: [4, 5, 6, 7],
  operators: [{ code: "TFLite_Detection_PostProcess", inputs: [1, 2, 3], outputs: [4, 5, 6, 7], options }],
  buffers: [new Uint8Array(32), new Uint8Array(6)],
  signature: { key: "serve", inputs: ["x"], outputs: ["a", "b", "c", "d"] },
  metadata: metadataBytes({ mean: 1, std: 2, labels: "labels.txt" }),
});
const whole = Uint8Array.from([...model, ...zipBytes("labels.txt", "one\ntwo\n")]);

type Outcome = "accepted" | "model_malformed" | "model_unsupported";

/** Throws anything that is not one of the two errors, and an error that does not say where it is. */
function outcome(bytes: Uint8Array): Outcome {
  try {
    const source = memorySource(bytes);
    const read = parseTflite(source, "mutant");
    kindOfTflite(read, readMetadata(read, source));
    signatureOf(read);
    const range = read.subgraphs[0]?.operators[0]?.customOptions;
    if (range) readFlexMap(bytes.subarray(range.offset, range.offset + range.length));
    return "accepted";
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const { code, details } = error;
    if (code === "model_unsupported") return code;
    if (code !== "model_malformed" || typeof details["offset"] !== "number" || !details["field"]) throw error;
    return code;
  }
}

test("1,000 damaged files are each refused with a typed error or read, without a large allocation", () => {
  const outcomes = { accepted: 0, model_malformed: 0, model_unsupported: 0 };
  const mutants = mutateTflite(whole, 6);
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1000; count++) outcomes[outcome(mutants.next().value)]++;
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 ** 2);
  expect(outcomes.accepted + outcomes.model_malformed + outcomes.model_unsupported).toBe(1000);
  // The mutants are neither all harmless nor all hopeless.
  expect(outcomes.accepted).toBeGreaterThan(100);
  expect(outcomes.model_malformed).toBeGreaterThan(250);
}, 8000);
