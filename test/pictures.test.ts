/** Pictures over HTTP, with the tasks, the runtime and the fake engine behind the server. */
import { describe, expect, it } from "vitest";
import { ollama } from "../src/dialects/ollama/index.ts";
import { openai } from "../src/dialects/openai/routes.ts";
import type { PromptPart } from "../src/spec/engine.ts";
import type { ModelInfo } from "../src/spec/model.ts";
import { createApp } from "../src/server/app.ts";
import { chat } from "../src/tasks/chat.ts";
import { perform } from "../src/tasks/perform.ts";
import { createFakeHearth } from "./fake-hearth.ts";
import { createFakeLibrary } from "./fake-library.ts";
import { requestApp } from "./http.ts";
import { promptText } from "./prompt-texts.ts";
import { createTaskHouse } from "./task-house.ts";

const pngBase64 = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]).toString("base64");
const bytes = new Uint8Array(Buffer.from(pngBase64, "base64"));

const seeing: Partial<ModelInfo> = {
  capabilities: ["generate", "chat", "vision"],
  chatTemplate:
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}" +
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}",
};

function createHouse(info: Partial<ModelInfo> = seeing) {
  const house = createTaskHouse({ info, reply: "A cat." });
  const hearth = {
    ...createFakeHearth(),
    library: createFakeLibrary([{ name: "tiny", info }]),
    runtime: house.runtime,
    chat: (request: Parameters<typeof chat>[1]) => chat(house.runtime, request),
    perform: (request: Parameters<typeof perform>[1]) => perform(house.runtime, request),
  } as Parameters<typeof createApp>[0]["hearth"];
  const app = createApp({ hearth, dialects: [openai, ollama] });
  const send = async (path: string, more: object): Promise<{ status: number; text: string }> => {
    const response = await requestApp(app, path, { body: { model: "tiny", stream: false, ...more } });
    return { status: response.status, text: await response.text() };
  };
  return { ...house, hearth, send };
}

const question = (url: string) => ({
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is " },
        { type: "image_url", image_url: { url } },
        { type: "text", text: "<image>?" },
      ],
    },
  ],
});
const openaiPath = "/v1/chat/completions";

describe("a picture in a request", () => {
  it("of OpenAI's shape comes to the engine in its place; text that spells the mark stays text", async () => {
    const { send, lastRequest } = createHouse();
    const { status, text } = await send(openaiPath, question(`data:image/png;base64,${pngBase64}`));
    expect([status, text]).toEqual([200, expect.stringContaining("A cat.")]);
    expect(lastRequest().prompt).toEqual([
      { text: "What is ", special: true },
      { image: { bytes } },
      { text: "<image>", special: false },
      { text: "?", special: true },
    ]);
  });

  it("of Ollama's shapes comes before the text", async () => {
    const { send, lastRequest } = createHouse();
    const message = { role: "user", content: "Who?", images: [pngBase64] };
    expect((await send("/api/chat", { messages: [message] })).status).toBe(200);
    expect(promptText(lastRequest().prompt as PromptPart[])).toBe("(picture)Who?");
    expect((await send("/api/generate", { prompt: "Who?", images: [pngBase64] })).text).toContain("A cat.");
    expect(lastRequest().prompt).toContainEqual({ image: { bytes } });
  });

  it("counts in the usage", async () => {
    const { send } = createHouse();
    const { text } = await send(openaiPath, question(`data:image/png;base64,${pngBase64}`));
    expect(text).toMatch(/"prompt_tokens": ?6/);
  });

  it.each([
    ["a URL to fetch", "https://example.org/cat.png", /data URL/],
    ["a file", "file:///etc/passwd", /data URL/],
    ["wrong base64", "data:image/png;base64,@@@", /base64/],
    ["nothing", "data:image/png;base64,", /no data/],
  ])("is refused: %s", async (_, url, message) => {
    const { send } = createHouse();
    const { status, text } = await send(openaiPath, question(url));
    expect(status).toBe(400);
    expect(text).toMatch(message);
  });

  it("is refused where the model sees none, with a hint", async () => {
    const { send } = createHouse({ ...seeing, capabilities: ["generate", "chat"] });
    for (const [path, body] of [
      [openaiPath, question(`data:image/png;base64,${pngBase64}`)],
      ["/api/chat", { messages: [{ role: "user", content: "Who?", images: [pngBase64] }] }],
    ] as const) {
      const { status, text } = await send(path, body);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(text).toMatch(/cannot see images/);
    }
  });

  it("is refused in an answer, and where there are too many", async () => {
    const { send } = createHouse();
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${pngBase64}` } };
    const many = { messages: [{ role: "user", content: Array.from({ length: 65 }, () => image) }] };
    const { status, text } = await send(openaiPath, many);
    expect([status, text]).toEqual([400, expect.stringContaining("more than 64 pictures")]);
  });

  it("is described by a model that chats", async () => {
    const { hearth } = createHouse();
    const parts: string[] = [];
    const { output } = await hearth.perform({
      task: "caption",
      model: "tiny",
      input: { image: { bytes } },
      onPart: ({ text }) => void parts.push(text),
    });
    expect(output).toEqual({ text: "A cat." });
    expect(parts.join("")).toBe("A cat.");
  });
});
