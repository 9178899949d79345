import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { Capability } from "../../src/spec/model.ts";
import { answerWith, createFakeHearth, fakeInfo, type FakeHearth, type FakeOptions } from "./fake-hearth.ts";
import { hearth, start, temporaryFolder } from "./run-main.ts";

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3);
const image = { type: "image", mediaType: "image/png", data: png };

const seeing: readonly Capability[] = ["generate", "chat", "vision"];

function createSeeing(options: FakeOptions = {}, capabilities: readonly Capability[] = seeing): FakeHearth {
  return createFakeHearth({ library: { inspect: async () => ({ ...fakeInfo, capabilities }) }, ...options });
}

let folder: string;
let photo: string;
beforeEach(() => {
  folder = temporaryFolder();
  photo = join(folder, "photo.png");
  writeFileSync(photo, png);
});

async function run(words: readonly string[], fake = createSeeing()) {
  const outcome = await hearth(["run", "tiny", ...words], { hearth: fake });
  return { ...outcome, content: fake.requests[0]?.messages[0]?.content, fake };
}

describe("hearth run with a picture", () => {
  test("--image puts the pictures before the words, in their order", async () => {
    const other = join(folder, "other.png");
    writeFileSync(other, Uint8Array.of(...png, 9));
    const { code, content } = await run(["What changed?", "--image", photo, "--image", other]);
    expect(code).toBe(0);
    expect(content).toEqual([
      image,
      { ...image, data: Uint8Array.of(...png, 9) },
      { type: "text", text: "What changed?" },
    ]);
  });

  test("--image goes along to a model that does not see either: the answer says why not", async () => {
    const { content } = await run(["What is it?", "--image", photo], createSeeing({}, ["generate", "chat"]));
    expect(content).toEqual([image, { type: "text", text: "What is it?" }]);
  });

  test("a path among the words becomes the picture, and is no longer among them", async () => {
    const { content } = await run([`What is this? ${photo}`]);
    expect(content).toEqual([image, { type: "text", text: "What is this?" }]);
    expect((await run([photo])).content).toEqual([image]);
    expect((await run([`Is ${photo}, taken at noon?`])).content).toEqual([
      image,
      { type: "text", text: "Is , taken at noon?" },
    ]);
  });

  test.each([
    ["in quotation marks", (path: string) => `Who is "${path}"?`],
    ["in single ones", (path: string) => `Who is '${path}'?`],
    ["with spaces escaped, as terminals drop files", (path: string) => `Who is ${path.replaceAll(" ", "\\ ")}?`],
  ])("a path with spaces is found %s", async (_, ask) => {
    const path = join(folder, "my cat.PNG");
    writeFileSync(path, png);
    expect((await run([ask(path)])).content).toEqual([image, { type: "text", text: "Who is ?" }]);
  });

  test("a path stays text where the model does not see, where there is no file, and where it names no picture", async () => {
    const text = `Is ${photo} a good name?`;
    expect((await run([text], createSeeing({}, ["generate", "chat"]))).content).toBe(text);
    const notes = join(folder, "notes.txt");
    writeFileSync(notes, "text");
    mkdirSync(join(folder, "folder.png"));
    for (const path of [join(folder, "gone.png"), notes, join(folder, "folder.png"), "https://example.org/cat.png"]) {
      expect((await run([`See ${path}`])).content).toBe(`See ${path}`);
    }
  });

  test("--projector is a load option, and its model sees", async () => {
    const projector = join(folder, "mmproj.gguf");
    writeFileSync(projector, "GGUF");
    const words = [`What is ${photo}?`, "--projector", projector];
    const { content, fake } = await run(words, createSeeing({}, ["generate", "chat"]));
    expect(content).toEqual([image, { type: "text", text: "What is ?" }]);
    expect(fake.requests[0]?.load).toEqual({ projector: { path: projector } });
    expect(fake.acquired[0]?.load).toEqual({ projector: { path: projector } });
  });

  test("a file that is not there, or is a folder, is refused before a model is loaded", async () => {
    for (const flag of ["--image", "--projector"]) {
      for (const path of [join(folder, "gone.png"), folder]) {
        const { code, stderr, fake } = await run(["Hi", flag, path]);
        expect([code, stderr]).toEqual([2, expect.stringContaining(`${flag} is "${path}"`)]);
        expect(fake.acquired).toEqual([]);
      }
    }
  });

  test("a file that is no picture is named, and nothing is asked", async () => {
    const text = join(folder, "text.png");
    writeFileSync(text, "no picture");
    const { code, stderr, fake } = await run(["Hi", "--image", text]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("text.png")]);
    expect(fake.requests).toEqual([]);
  });
});

/** Types each line when the chat asks for one, and leaves. */
async function chat(fake: FakeHearth, lines: readonly string[], more: readonly string[] = [], env = {}) {
  const terminal = { stdin: true, stdout: true, stderr: true };
  const live = start(["run", "tiny", ...more], { hearth: fake, terminal, env });
  for (const line of [...lines, "/bye"]) {
    await live.see("> ");
    live.type(`${line}\r`);
  }
  return await live.done;
}

describe("a chat with pictures", () => {
  test("takes a picture that is named, also as the first word, and says which one", async () => {
    const fake = createSeeing();
    const { stderr } = await chat(fake, [`Who is ${photo}?`, `${photo} And who is this?`]);
    expect(stderr).toContain(`with the picture ${photo}`);
    expect(fake.requests[1]?.messages.map(({ content }) => content)).toEqual([
      [image, { type: "text", text: "Who is ?" }],
      "Paris is the capital.",
      [image, { type: "text", text: "And who is this?" }],
    ]);
  });

  test("sends --image with the first question alone, and again where that one failed", async () => {
    let failures = 1;
    const fake = createSeeing({
      answer: () => {
        if (failures-- > 0) throw new HearthError("engine_failed", "The engine is gone.");
        return answerWith("A cat.");
      },
    });
    await chat(fake, ["One", "Two", "Three"], ["--image", photo]);
    const pictures = fake.requests.map(({ messages }) => messages.map(({ content }) => Array.isArray(content)));
    expect(pictures).toEqual([[true], [true], [true, false, false]]);
  });

  test("is saved with them, and goes on another day", async () => {
    const env = { HEARTH_DATA: folder };
    await chat(createSeeing(), [`Who is ${photo}?`, "/save cat"], [], env);
    expect(readFileSync(join(folder, "sessions", "cat.json"), "utf8")).toContain(Buffer.from(png).toString("base64"));
    const fake = createSeeing();
    const { stdout } = await chat(fake, ["/load cat", "And now?"], [], env);
    expect(stdout).toContain("Session cat with tiny:1b, 2 messages.");
    expect(fake.requests[0]?.messages.map(({ content }) => content)).toEqual([
      [image, { type: "text", text: "Who is ?" }],
      "Paris is the capital.",
      "And now?",
    ]);
  });

  test("a saved picture that is no base64 is an error, not a crash", async () => {
    const env = { HEARTH_DATA: folder };
    await chat(createSeeing(), [`Who is ${photo}?`, "/save cat"], [], env);
    const path = join(folder, "sessions", "cat.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(Buffer.from(png).toString("base64"), "@@@"));
    const { stderr } = await chat(createSeeing(), ["/load cat"], [], env);
    expect(stderr).toContain("cat.json is not a saved session.");
  });
});
