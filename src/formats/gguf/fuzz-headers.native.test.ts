import { getHeapStatistics } from "node:v8";
import { expect, test } from "vitest";
import { modelBytes, tinyBert, tinyLlama } from "../../../test/make-model.ts";
import { mutateModel } from "../../../test/mutate-model.ts";
import { HearthError } from "../../error.ts";
import { parseGguf } from "./parse.ts";
import { validateForEngine } from "./validate.ts";

const models = [
  tinyLlama({ layers: 1, embedding: 32 }),
  tinyLlama({ layers: 2, embedding: 32, type: "Q4_0", chatTemplate: null }),
  tinyBert({ layers: 1, embedding: 32, context: 16, pooling: "rank" }),
  {
    metadata: { "general.alignment": { type: "uint32", value: 64 }, flag: { type: "bool", value: true } },
    tensors: [
      { name: "a", type: "Q8_0", shape: [32, 2], data: new Uint8Array(68) },
      { name: "b", type: "F32", shape: [2, 2, 2, 2], data: new Uint8Array(64) },
    ],
  },
] as const;

/** Memory that scripts hold, in bytes. */
function held(): number {
  // `process.memoryUsage` asks the system each time, which takes longer than to parse.
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

type Outcome = "accepted" | "model_malformed" | "model_unsupported";

/** Throws anything that is not one of the two errors, and an error that does not say where it is. */
function outcome(bytes: Uint8Array): Outcome {
  try {
    validateForEngine(parseGguf(bytes));
    return "accepted";
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const { code, details } = error;
    if (code === "model_unsupported") return code;
    if (code !== "model_malformed" || typeof details["offset"] !== "number" || !details["field"]) throw error;
    return code;
  }
}

test("2,000 damaged headers are each refused with a typed error or read, without a large allocation", () => {
  const outcomes = { accepted: 0, model_malformed: 0, model_unsupported: 0 };
  let most = 0;
  for (const [index, model] of models.entries()) {
    const bytes = modelBytes(model);
    const mutants = mutateModel(bytes, 1000 + index);
    for (let count = 0; count < 500; count++) {
      const mutant = mutants.next().value;
      const before = held();
      outcomes[outcome(mutant.bytes)]++;
      most = Math.max(most, held() - before);
    }
  }
  expect(most).toBeLessThan(64 * 1024 ** 2);
  expect(outcomes.accepted + outcomes.model_malformed + outcomes.model_unsupported).toBe(2000);
  // All three really happen: the mutants are neither all harmless nor all hopeless.
  expect(outcomes.accepted).toBeGreaterThan(100);
  expect(outcomes.model_malformed).toBeGreaterThan(1000);
  expect(outcomes.model_unsupported).toBeGreaterThan(0);
}, 8000);
