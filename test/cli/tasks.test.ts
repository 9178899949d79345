import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { encodeNpy } from "../../src/formats/npy/encode.ts";
import { parseNpy } from "../../src/formats/npy/parse.ts";
import { performWith } from "../fake-speech.ts";
import { fakePng, fakeVision } from "../fake-vision.ts";
import { createFakeHearth } from "./fake-hearth.ts";
import { hearth } from "./run-main.ts";

const house = () => createFakeHearth({ installed: ["tiny"], perform: performWith(fakeVision) });
const folder = mkdtempSync(join(tmpdir(), "hearth-tasks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const photo = join(folder, "photo.jpg");
writeFileSync(photo, "a picture");

async function run(...words: readonly string[]) {
  const made = house();
  return { ...(await hearth([...words, "--model", "tiny"], { hearth: made })), made };
}

describe("what is found in a picture", () => {
  test.each([
    ["detect", /^LABEL +SCORE +X +Y +WIDTH +HEIGHT\ncat +87\.5% +1 +2 +30 +40\n$/],
    ["segment", /^LABEL +SCORE +OF THE PICTURE\nperson +100\.0% +50\.0%\n$/],
    ["pose", /^FIGURE +SCORE .*POINTS\nleft +50\.0% .*1\n$/],
    ["ocr", /^STOP\n$/],
    ["depth", /^2 × 1 pixels, from 0\.5000 \(far\) to 4\.000 \(near\)\n$/],
  ])("%s prints it, and draws it", async (command, text) => {
    const out = join(folder, `${command}.png`);
    const { code, stdout, stderr, made } = await run(command, photo, "--out", out);
    expect([code, stdout]).toEqual([0, expect.stringMatching(text)]);
    expect(stderr).toContain(out);
    expect(new Uint8Array(readFileSync(out))).toEqual(fakePng);
    expect(made.performed[0]?.input).toMatchObject({
      draw: true,
      image: { bytes: new Uint8Array(Buffer.from("a picture")) },
    });
  });

  test("as JSON nothing is drawn unless --out says where", async () => {
    const { stdout, made } = await run("detect", photo, "--json", "--threshold", "0.3");
    expect(JSON.parse(stdout)).toMatchObject({ objects: [{ label: "cat" }] });
    expect(made.performed[0]?.input).toMatchObject({ threshold: 0.3 });
    expect(made.performed[0]?.input).not.toHaveProperty("draw");
  });

  test("a file that is not there, and a picture without a name, are refused", async () => {
    expect(await run("detect", join(folder, "no.jpg"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("does not exist") as string,
    });
    expect(await run("detect", "-")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--out FILE.png") as string,
    });
  });
});

describe("what is made of a picture", () => {
  test.each(["upscale", "remove-background"])("%s", async (command) => {
    const out = join(folder, `${command}.png`);
    const { code, stdout } = await run(command, photo, "--out", out);
    expect([code, stdout]).toEqual([0, `${out}: 64 × 48 pixels.\n`]);
    expect(existsSync(out)).toBe(true);
  });

  test("caption prints as it is said", async () => {
    expect((await run("caption", photo, "--prompt", "Why?")).stdout).toBe("A cat. Why?\n");
  });
});

describe("classify", () => {
  test("tells pictures from texts", async () => {
    const picture = await run("classify", photo, "--top", "2");
    expect(picture.stdout).toMatch(/^LABEL +SCORE\ncat +90\.0%\ndog +45\.0%\n$/);
    expect(picture.made.performed[0]?.input).toMatchObject({ images: [{}], topK: 2 });
    const text = await run("classify", "I", "love", "it.", "--labels", "praise, blame");
    expect(text.made.performed[0]?.input).toEqual({ texts: ["I love it."], labels: ["praise", "blame"] });
  });
});

test("entities, translate, voice and diarize print tables and texts", async () => {
  expect((await run("entities", "Ada")).stdout).toMatch(/^TEXT +LABEL +SCORE +AT\nAda +PER +99\.0% +0–3\n$/);
  expect((await run("translate", "a cat", "--to", "fr")).stdout).toBe("fr: a cat\n");
  expect((await run("voice", "talk.wav")).stdout).toMatch(/0\.25 s +1\.50 s\n$/);
  expect((await run("diarize", "talk.wav", "--speakers", "2")).stdout).toMatch(/2 +0\.50 s +2\.00 s\n$/);
});

describe("infer", () => {
  const x = join(folder, "x.npy");
  writeFileSync(x, encodeNpy({ type: "float32", shape: [2], data: Float32Array.of(1, 2.5) }));

  test("reads NumPy's files and writes them", async () => {
    const out = join(folder, "results");
    const { code, stdout } = await hearth(["infer", "tiny", `x=${x}`, "--out", out], { hearth: house() });
    expect([code, stdout]).toEqual([0, `${join(out, "x_out.npy")}: float32 [2]\n`]);
    expect(parseNpy(new Uint8Array(readFileSync(join(out, "x_out.npy"))), "x")).toMatchObject({
      data: Float32Array.of(1, 2.5),
    });
  });

  test("reads JSON and writes it", async () => {
    const inputs = [{ name: "x", shape: [1], datatype: "INT64", data: [7] }];
    const { stdout } = await hearth(["infer", "tiny", "-"], { hearth: house(), stdin: JSON.stringify({ inputs }) });
    expect(JSON.parse(stdout)).toEqual({ outputs: [{ ...inputs[0], name: "x_out" }] });
  });

  test("gives the outputs that are asked for", async () => {
    const inputs = ["x", "y"].map((name) => ({ name, shape: [1], datatype: "INT64", data: [7] }));
    const stdin = JSON.stringify({ inputs });
    const { stdout } = await hearth(["infer", "tiny", "-", "--outputs", "y_out"], { hearth: house(), stdin });
    expect(JSON.parse(stdout)).toEqual({ outputs: [{ ...inputs[1], name: "y_out" }] });
    expect((await hearth(["infer", "tiny", "-", "--outputs", "z"], { hearth: house(), stdin })).stderr).toContain(
      "the model gives x_out, y_out",
    );
  });

  test("without inputs, and with wrong ones, it says what to do", async () => {
    expect(await hearth(["infer", "tiny"], { hearth: house() })).toMatchObject({ code: 2 });
    expect((await hearth(["infer", "tiny", "-"], { hearth: house(), stdin: "{}" })).stderr).toContain(
      "holds no inputs",
    );
    expect((await hearth(["infer", "tiny", "x.npy", "y"], { hearth: house() })).stderr).toContain("NAME=FILE.npy");
  });
});
