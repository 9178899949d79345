import { afterAll, describe, expect, it } from "vitest";
import { renderChat } from "../src/chat/render.ts";
import { describeOnnx } from "../src/models/describe-onnx.ts";
import type { LoadedModel } from "../src/spec/engine.ts";
import { collect } from "./engine-contract.ts";
import { loadOnnxFolder } from "./onnx-house.ts";
import { unpackTiny } from "./onnx-tiny.ts";
import { testPack } from "./pack.ts";

const pack = await testPack("onnx");
const opened: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of opened.toReversed()) await close();
});

interface Golden {
  readonly question: string;
  readonly ids: readonly number[];
}

describe.skipIf(pack === undefined)("a chat about a picture with a model in ONNX", () => {
  it.each(["smolvlm", "llava", "qwen2-vl", "moondream"])(
    "is written by the template of the folder: %s",
    async (name) => {
      const { folder, golden, read, remove } = await unpackTiny<Golden>(name);
      opened.push(remove);
      const model: LoadedModel = await loadOnnxFolder(folder);
      opened.push(async () => await model.dispose());
      const info = describeOnnx(`${folder}/onnx/decoder_model_merged.onnx`);
      const content = [
        { type: "image", data: await read("picture.png"), mediaType: "image/png" },
        { type: "text", text: golden.question },
      ] as const;
      const { parts } = renderChat({ info, messages: [{ role: "user", content }] });
      const { tokens, promptEnd } = await collect(model, {
        prompt: parts,
        sampling: { temperature: 0 },
        maxTokens: 16,
      });
      expect(tokens).toEqual(golden.ids);
      const counted = await model.tokenize(parts);
      expect(counted).toHaveLength(promptEnd.promptTokens);
      expect(counted).toContain(-1);
    },
  );
});
