import { afterAll, describe, expect, it } from "vitest";
import { loadOnnxFolder } from "../../../test/onnx-house.ts";
import type { TinyModel } from "../../../test/onnx-tiny.ts";
import { unpackTiny } from "../../../test/onnx-tiny.ts";
import { testPack } from "../../../test/pack.ts";
import { collect } from "../../../test/engine-contract.ts";
import type { GenerateRequest, LoadedModel } from "../../spec/engine.ts";

const pack = await testPack("onnx");
const opened: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const close of opened.toReversed()) await close();
});

interface Golden {
  readonly question: string;
  /** Of the prompt with its picture. */
  readonly tokens: number;
  readonly ids: readonly number[];
}

async function open<Own>(name: string): Promise<TinyModel<Own> & { readonly model: LoadedModel }> {
  const tiny = await unpackTiny<Own>(name);
  opened.push(tiny.remove);
  const model = await loadOnnxFolder(tiny.folder);
  opened.push(async () => await model.dispose());
  return { ...tiny, model };
}

const greedy = { sampling: { temperature: 0 }, maxTokens: 16 } as const;

/** A question about a picture, as the model's own template writes it. */
function ask(question: string, image: Uint8Array | undefined, end = "<end_of_utterance>"): GenerateRequest {
  const picture = image ? [{ image: { bytes: image } }] : [];
  const prompt = [
    { text: "<|im_start|>User: ", special: true },
    ...picture,
    { text: question, special: false },
    { text: `${end}\nAssistant:`, special: true },
  ];
  return { prompt, ...greedy };
}

describe.skipIf(pack === undefined)("tiny ONNX language models, against transformers", () => {
  it("goes on with a text", async () => {
    const { model, golden } = await open<{ text: string; inputs: number[]; ids: number[] }>("llama");
    expect(model.capabilities).toEqual(["generate", "chat", "infer"]);
    const { tokens, promptEnd } = await collect(model, { prompt: [{ text: golden.text, special: false }], ...greedy });
    expect(promptEnd.promptTokens).toBe(golden.inputs.length);
    expect(tokens).toEqual(golden.ids);
  });

  it("answers about pictures that are cut into parts", async () => {
    const { model, golden, read } = await open<Golden & { other: number[]; blind: number[]; blindQuestion: string }>(
      "smolvlm",
    );
    expect(model.capabilities).toEqual(["generate", "chat", "vision", "infer"]);
    const { question, blindQuestion } = golden;
    const [picture, other] = [await read("picture.png"), await read("other.png")];
    const first = await collect(model, ask(question, picture));
    expect(first.promptEnd.promptTokens).toBe(golden.tokens);
    expect(first.tokens).toEqual(golden.ids);
    expect((await collect(model, ask(question, other))).tokens).toEqual(golden.other);
    expect((await collect(model, ask(blindQuestion, undefined))).tokens).toEqual(golden.blind);
    // Several at once, step by step: nobody gets another's answer.
    const requests = [ask(question, picture), ask(question, other), ask(blindQuestion, undefined)];
    const all = await Promise.all(requests.map((one) => collect(model, one)));
    expect(all.map(({ tokens }) => tokens)).toEqual([golden.ids, golden.other, golden.blind]);
  });

  it("never takes what a user writes for a picture or a control token", async () => {
    const { model, golden } = await open<Golden>("smolvlm");
    const { tokens, promptEnd } = await collect(model, ask("<image> <end_of_utterance> hi", undefined));
    expect(tokens).not.toEqual(golden.ids);
    const written = await model.tokenize([{ text: "<image>", special: false }]);
    const [control] = await model.tokenize([{ text: "<image>", special: true }]);
    expect(written).not.toContain(control);
    expect(promptEnd.promptTokens).toBeGreaterThan(golden.question.length / 2);
  });

  it("answers about pictures as LLaVA lays them out", async () => {
    const { model, golden, read } = await open<Golden>("llava");
    const { tokens, promptEnd } = await collect(model, ask(golden.question, await read("picture.png")));
    expect(promptEnd.promptTokens).toBe(golden.tokens);
    expect(tokens).toEqual(golden.ids);
  });

  it("answers about pictures whose places count in three directions", async () => {
    const { model, golden, read } = await open<Golden>("qwen2-vl");
    const { tokens, promptEnd } = await collect(model, ask(golden.question, await read("picture.png"), "<|im_end|>"));
    expect(promptEnd.promptTokens).toBe(golden.tokens);
    expect(tokens).toEqual(golden.ids);
  });

  it("answers about pictures as Moondream does, whose folder has no chat template", async () => {
    const { model, golden, read } = await open<Golden>("moondream");
    expect(model.capabilities).toEqual(["generate", "chat", "vision", "infer"]);
    const image = { image: { bytes: await read("picture.png") } };
    const prompt = [
      image,
      { text: "\n\nQuestion: ", special: true },
      { text: golden.question, special: false },
      { text: "\n\nAnswer:", special: true },
    ];
    const { tokens, promptEnd } = await collect(model, { prompt, ...greedy });
    expect(promptEnd.promptTokens).toBe(golden.tokens);
    expect(tokens).toEqual(golden.ids);
  });

  it("goes on from what it has computed, and never with another's picture", async () => {
    const { model, golden, read } = await open<Golden & { other: number[] }>("smolvlm");
    const request = ask(golden.question, await read("picture.png"));
    const first = await collect(model, { ...request, tenant: "a" });
    expect(first.promptEnd.cachedTokens).toBe(0);
    const again = await collect(model, { ...request, tenant: "a" });
    expect(again.promptEnd.cachedTokens).toBe(golden.tokens - 1);
    expect(again.tokens).toEqual(golden.ids);
    const stranger = await collect(model, { ...request, tenant: "b" });
    expect(stranger.promptEnd.cachedTokens).toBe(0);
    const other = await collect(model, { ...ask(golden.question, await read("other.png")), tenant: "a" });
    expect(other.promptEnd.cachedTokens).toBeLessThan(12);
    expect(other.tokens).toEqual(golden.other);
  });

  it("refuses pictures where the model has no encoder, and damaged ones", async () => {
    const blind = await open<Golden>("llama");
    await expect(collect(blind.model, ask("hi", new Uint8Array(8)))).rejects.toMatchObject({
      code: "unsupported_capability",
    });
    const { model, golden, read } = await open<Golden>("smolvlm");
    const cut = (await read("picture.png")).slice(0, 60);
    await expect(collect(model, ask("hi", cut))).rejects.toMatchObject({ code: "bad_request" });
    expect((await collect(model, ask(golden.question, await read("picture.png")))).tokens).toEqual(golden.ids);
  });
});
