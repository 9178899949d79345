/** A tiny language model with a tiny projector beside it, from files to HTTP, in flint's child process. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foreignFolders } from "../src/config/paths.ts";
import { openai } from "../src/dialects/openai/routes.ts";
import { createFlintEngine } from "../src/engines/flint/engine.ts";
import { findVision, photoPath } from "../src/engines/flint/vision/__fixtures__/fixtures.ts";
import { picturesModule } from "../src/engines/media/pack.ts";
import { createLibrary } from "../src/models/library.ts";
import { createApp } from "../src/server/app.ts";
import { createHearth } from "../src/tasks/hearth.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import { defaultSettings } from "./fake-hearth.ts";
import { requestApp } from "./http.ts";
import { makeTinyLlama } from "./make-model.ts";
import { testPack } from "./pack.ts";

const pack = await testPack("pictures");

const chatTemplate =
  "{% for message in messages %}{{ message.role }}: {% if message.content is string %}{{ message.content }}{% else %}" +
  "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}" +
  "{% endif %}\n{% endfor %}";

describe.skipIf(pack === undefined)("a model with a projector beside it", () => {
  let folder: string;
  let hearth: Hearth;
  let photo: Buffer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hearth-pictures-"));
    const path = await makeTinyLlama(join(folder, "model", "tiny-f16.gguf"), {
      embedding: 64,
      context: 1024,
      chatTemplate,
    });
    await writeFile(join(folder, "model", "mmproj-tiny-f16.gguf"), findVision("idefics3").bytes);
    photo = await readFile(photoPath);
    const flint = createFlintEngine({ env: {}, pictures: async () => picturesModule(pack ?? "") });
    const settings = { ...defaultSettings, data: join(folder, "data"), offline: true };
    const library = createLibrary({ dataFolder: settings.data, settings, foreign: foreignFolders({ HOME: folder }) });
    hearth = createHearth({
      settings,
      // Over HTTP nobody names a path.
      library: { ...library, resolve: async () => await library.resolve(path) },
      engines: { choose: async () => ({ engine: "flint", device: "cpu", reasons: [] }), get: async () => flint },
    });
  });
  afterAll(async () => {
    await hearth?.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = async (data: Uint8Array, more: object = {}) => {
    const url = `data:image/png;base64,${Buffer.from(data).toString("base64")}`;
    const content = [
      { type: "image_url", image_url: { url } },
      { type: "text", text: "What is it?" },
    ];
    const app = createApp({ hearth, dialects: [openai] });
    const body = { model: "tiny", max_tokens: 8, temperature: 0, messages: [{ role: "user", content }], ...more };
    const response = await requestApp(app, "/v1/chat/completions", { body });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  interface Answer {
    readonly choices: readonly { readonly message: { readonly content: string } }[];
    readonly usage: {
      readonly prompt_tokens: number;
      readonly prompt_tokens_details: { readonly cached_tokens: number };
    };
    readonly error?: { readonly message: string };
  }

  it("says that it sees", async () => {
    const installed = await hearth.library.resolve("tiny");
    expect(installed.files.map(({ role, name }) => [role, name])).toEqual([
      ["weights", "tiny-f16.gguf"],
      ["projector", "mmproj-tiny-f16.gguf"],
    ]);
    expect((await hearth.library.inspect(installed)).capabilities).toContain("vision");
  });

  it("answers about a picture, the same when it comes again out of the cache", async () => {
    const first = await ask(photo);
    expect(first.status).toBe(200);
    const again = await ask(photo);
    expect(again.body.choices).toEqual(
      first.body.choices.map((choice) => expect.objectContaining({ message: choice.message })),
    );
    expect(again.body.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(32);
    expect(again.body.usage.prompt_tokens).toBe(first.body.usage.prompt_tokens);
  });

  it("refuses a picture that is cut off or none, and goes on", async () => {
    for (const bad of [photo.subarray(0, 200), Buffer.from("<svg/>")]) {
      const { status, body } = await ask(bad);
      expect(status).toBe(400);
      expect(body.error?.message).toMatch(/picture/);
    }
    expect((await ask(photo)).status).toBe(200);
  });

  it("drops whole turns with their pictures where a conversation is too long", async () => {
    const url = `data:image/png;base64,${photo.toString("base64")}`;
    const turn = {
      role: "user",
      content: [
        { type: "image_url", image_url: { url } },
        { type: "text", text: "And this?" },
      ],
    };
    const messages = Array.from({ length: 12 }, () => [turn, { role: "assistant", content: "Yes." }]).flat();
    const { status, body } = await ask(photo, { messages: [...messages, turn], overflow: "truncate-oldest" });
    expect([status, body.error]).toEqual([200, undefined]);
    expect(body.usage.prompt_tokens).toBeLessThan(1024);
  });
});
