/** The routes of vision, text and plain tensors, over a real socket. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kserve } from "../../src/dialects/kserve/index.ts";
import { openai } from "../../src/dialects/openai/routes.ts";
import type { RunningServer } from "../../src/server/index.ts";
import { serve } from "../../src/server/index.ts";
import { createFakeHearth } from "../fake-hearth.ts";
import { performWith } from "../fake-speech.ts";
import { fakePng, fakeVision } from "../fake-vision.ts";

const image = `data:image/png;base64,${Buffer.from(fakePng).toString("base64")}`;
const hearth = createFakeHearth({ perform: performWith(fakeVision) });
let server: RunningServer;

beforeAll(async () => {
  server = await serve({ hearth, dialects: [openai, kserve], host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await server.shutdown();
});

async function post(path: string, body: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
  const form = body instanceof FormData;
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: form ? body : JSON.stringify({ model: "tiny", ...(body as object) }),
    headers: form ? {} : { "content-type": "application/json" },
  });
  return { status: response.status, body: await response.json() };
}

describe("pictures", () => {
  test.each([
    ["/v1/detect", {}, { objects: [{ label: "cat", score: 0.875, box: { x: 1, y: 2, width: 30, height: 40 } }] }],
    ["/v1/pose", { threshold: 0.2 }, { figures: [{ label: "left", keypoints: [{ name: "wrist" }] }] }],
    ["/v1/segment", {}, { segments: [{ label: "person", mask: expect.stringMatching(/^data:image\/png/) as string }] }],
    ["/v1/ocr", { draw: true }, { text: "STOP", drawn: image }],
    ["/v1/depth", {}, { width: 2, height: 1, drawn: image }],
    ["/v1/caption", { prompt: "Why?" }, { text: "A cat. Why?" }],
    ["/v1/upscale", {}, { image, width: 64, height: 48 }],
    ["/v1/remove-background", {}, { image, mask: expect.stringMatching(/^data:image\/png/) as string }],
    ["/v1/classify", { labels: ["tea"] }, { data: [{ index: 0, labels: [{ label: "tea", score: 0.9 }] }] }],
  ])("%s", async (path, more, expected) => {
    expect(await post(path, { image, ...more })).toMatchObject({
      status: 200,
      body: { model: "tiny:latest", ...expected },
    });
  });

  test("a form carries the bytes themselves", async () => {
    const form = new FormData();
    form.set("model", "tiny");
    form.set("threshold", "0.25");
    form.set("draw", "true");
    form.set("image", new Blob([fakePng.slice()]), "photo.png");
    expect(await post("/v1/detect", form)).toMatchObject({ status: 200, body: { drawn: image } });
    expect(hearth.requests.at(-1)).toMatchObject({ input: { threshold: 0.25, draw: true, image: { bytes: fakePng } } });
  });

  test.each([
    [{ image: "http://example.com/x.png" }, /is not a base64 data URL/],
    [{}, /^image must be a data URL/],
    [{ image, threshold: 2 }, /^threshold/],
    [{ image, draw: "perhaps" }, /^draw must be true or false/],
  ])("what is wrong is named: %o", async (body, message) => {
    const answer = await post("/v1/detect", body);
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(message) as string } },
    });
  });
});

describe("texts and sounds", () => {
  test("are classified, searched and translated", async () => {
    expect((await post("/v1/classify", { input: ["a", "b"] })).body).toMatchObject({
      data: [{ index: 0 }, { index: 1 }],
    });
    expect((await post("/v1/entities", { input: "Ada" })).body).toMatchObject({
      data: [{ entities: [{ text: "Ada", label: "PER" }] }],
    });
    expect((await post("/v1/translate", { input: "cat", to: "fr" })).body).toMatchObject({ text: "fr: cat" });
    expect(await post("/v1/classify", {})).toMatchObject({ status: 400 });
  });

  test("speakers and speech are found in an upload", async () => {
    const form = new FormData();
    form.set("model", "tiny");
    form.set("speakers", "2");
    form.set("file", new Blob(["RIFF"]), "talk.wav");
    expect((await post("/v1/audio/diarizations", form)).body).toMatchObject({ turns: [{ speaker: 1 }], duration: 3 });
    form.delete("speakers");
    expect((await post("/v1/audio/voice", form)).body).toMatchObject({ spans: [{ start: 0.25, end: 1.5 }] });
    expect(await post("/v1/audio/voice", { file: "text" })).toMatchObject({ status: 400 });
  });
});

describe("plain tensors", () => {
  const inputs = [{ name: "x", shape: [2], datatype: "FP32", data: [1, 2.5] }];

  test("go through the model", async () => {
    const outputs = [{ name: "x_out", shape: [2], datatype: "FP32", data: [1, 2.5] }];
    const answer = await post("/v2/models/tiny/infer", { id: "7", inputs });
    expect(answer).toEqual({ status: 200, body: { model_name: "tiny:latest", id: "7", outputs } });
    expect((await post("/v1/infer", { inputs })).body).toMatchObject({ outputs });
  });

  test("only the outputs that are asked for come back", async () => {
    const twoInputs = [...inputs, { ...inputs[0], name: "y" }];
    const answer = await post("/v2/models/tiny/infer", { inputs: twoInputs, outputs: [{ name: "y_out" }] });
    expect(answer.body).toMatchObject({ outputs: [{ name: "y_out" }] });
    const all = await post("/v2/models/tiny/infer", { inputs: twoInputs, outputs: [] });
    expect(all.body).toMatchObject({ outputs: [{ name: "x_out" }, { name: "y_out" }] });
    const alias = await post("/v1/infer", { inputs: twoInputs, outputs: [{ name: "y_out" }] });
    expect(alias.body).toMatchObject({ outputs: [{ name: "y_out" }] });
    const wrong = await post("/v2/models/tiny/infer", { inputs, outputs: [{ name: "z" }] });
    expect(wrong).toMatchObject({ status: 400, body: { error: expect.stringContaining('asks for "z"') as string } });
  });

  test("errors have the shape of the protocol", async () => {
    const wrong = await post("/v2/models/tiny/infer", { inputs: [{ ...inputs[0], shape: [3] }] });
    expect(wrong).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("its shape holds 3") as string },
    });
    expect(await post("/v2/models/nobody/infer", { inputs })).toMatchObject({
      status: 404,
      body: { error: expect.any(String) as string },
    });
    expect((await fetch(`${server.url}/v2/nowhere`)).status).toBe(404);
  });

  test("the server and its models say what they are", async () => {
    const get = async (path: string): Promise<unknown> => await (await fetch(`${server.url}${path}`)).json();
    expect(await get("/v2")).toMatchObject({ name: "hearth" });
    expect(await get("/v2/health/live")).toEqual({ live: true });
    expect(await get("/v2/models/tiny/ready")).toEqual({ name: "tiny:latest", ready: true });
    expect(await get("/v2/models/tiny")).toMatchObject({ error: expect.stringContaining("plain tensors") as string });
  });
});
