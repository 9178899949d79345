import { describe, expect, test } from "vitest";
import { findFixture, fixtureBytes } from "../../engines/flint/__fixtures__/fixtures.ts";
import type { GenerateFixture } from "../../engines/flint/__fixtures__/fixtures.ts";
import { openInline } from "../../engines/flint/inline.ts";
import { openModel } from "../../engines/flint/__fixtures__/open.ts";
import { createRandom } from "../../engines/flint/sampling/random.ts";
import { encodeHeader } from "../../formats/gguf/encode.ts";
import { typedMetadata } from "../../formats/gguf/typed.ts";
import { createInlineCrew } from "../train/crew.ts";
import { createTrainMemory, createTrainModule } from "../train/machine.ts";
import { writeInitial } from "../train/parameters.ts";
import { mergeLearned } from "./merge.ts";
import type { Merged } from "./merge.ts";
import { planStudent } from "./student.ts";

function bytesOf({ file, metadata, read }: Merged): Uint8Array<ArrayBuffer> {
  const tensors = file.tensors.map(({ name, typeName, shape }) => ({
    name,
    type: typeName,
    shape,
    data: new Uint8Array(),
  }));
  const header = encodeHeader({ metadata, tensors }).bytes;
  const bytes = new Uint8Array(header.length + file.fileBytes);
  bytes.set(header);
  read(0, bytes.subarray(header.length));
  return bytes;
}

describe.each(["llama", "qwen3", "phi3"])("a merged %s model", (name) => {
  test("says in flint what the student said in training", async () => {
    const bytes = fixtureBytes(findFixture(name));
    const { file, weights } = openModel(bytes, name);
    const [prompt] = (findFixture(name) as GenerateFixture).prompts;
    const tokens = prompt?.tokens ?? [];
    const setup = planStudent(file, { rows: tokens.length - 1, lanes: 1, rank: 4 });
    const memory = createTrainMemory(setup.bytes);
    for (const [tensor, address] of setup.weights) new Float32Array(memory.buffer, address).set(weights(tensor));
    const { parameters, parameterPlace } = setup;
    const values = new Float32Array(memory.buffer, parameterPlace, parameters.floats);
    writeInitial(values, parameters, { seed: 1, norm: weights });
    const random = createRandom(2);
    for (let i = 0; i < values.length; i++) values[i] = values[i]! + 0.1 * (random.next() - 0.5);

    const crew = createInlineCrew({ module: createTrainModule(), memory, setup });
    const loss = { share: 0, temperature: 1, weight: 1 };
    const trained = await crew.run([{ tokens: Int32Array.from(tokens) }], { loss, reverse: false });

    const data = {
      read: (offset: number, target: Uint8Array) =>
        target.set(bytes.subarray(file.dataOffset + offset, file.dataOffset + offset + target.length)),
      close: () => undefined,
    };
    const merged = mergeLearned({ file, metadata: typedMetadata(file) }, data, { parameters, values });
    const model = openInline(bytesOf(merged), { contextTokens: 64 });
    const rows = model.step({ tokens: tokens.slice(0, -1) });
    let expected = 0;
    for (const [row, logits] of rows.entries()) {
      expected +=
        Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (logits[tokens[row + 1] ?? 0] ?? 0);
    }
    // Merged weights are rounded to the type of the tensor.
    expect(trained.crossEntropy).toBeCloseTo(expected, 1);
  });
});
