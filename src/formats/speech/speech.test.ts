import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { onnxModel, onnxNode, onnxValue } from "../../../test/make-onnx.ts";
import { encodeOnnx } from "../onnx/encode.ts";
import { filesAround, listAround } from "./files.ts";
import { findLayout } from "./layout.ts";
import { readSpeechFolder } from "./read.ts";

/** A model that passes its first input on, with inputs and metadata of a model of speech. */
function model(inputs: readonly string[], metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const { pieces } = encodeOnnx(
    onnxModel(
      {
        nodes: [onnxNode("Identity", [inputs[0] ?? ""], ["y"])],
        inputs: inputs.map((name) => onnxValue(name, [1])),
        outputs: [onnxValue("y", [1])],
      },
      { metadata: new Map(Object.entries(metadata)) },
    ),
  );
  return Buffer.concat(pieces.filter((piece) => piece instanceof Uint8Array));
}

function folder(files: Readonly<Record<string, Uint8Array | string>>): string {
  const path = mkdtempSync(join(tmpdir(), "hearth-speech-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), bytes);
  }
  return path;
}

function read(
  files: Readonly<Record<string, Uint8Array | string>>,
  weights: string,
): ReturnType<typeof readSpeechFolder> {
  return readSpeechFolder(listAround(join(folder(files), weights)), weights);
}

const tokens = "a 0\nb 1\n  2\n";
const offline = model(["x", "x_lens"]);
const kokoro = {
  "model.onnx": model(["tokens"], {
    model_type: "kokoro",
    sample_rate: "24000",
    n_speakers: "2",
    style_dim: "3,1,4",
    speaker_names: "anna,ben",
  }),
  "voices.bin": new Uint8Array(2 * 12 * 4),
  "tokens.txt": "a 3\nb 7\n",
  "espeak-ng-data/phontab": "x",
  "espeak-ng-data/phonindex": "x",
  "espeak-ng-data/phondata": "x",
  "espeak-ng-data/intonations": "x",
};

describe("a model of speech is known by its files", () => {
  test.each([
    [["encoder.int8.onnx", "decoder.onnx", "joiner.int8.onnx", "tokens.txt"], "encoder.int8.onnx", "transducer"],
    [["tiny-encoder.onnx", "tiny-decoder.onnx", "tiny-tokens.txt"], "tiny-encoder.onnx", "pair"],
    [
      ["preprocess.onnx", "encode.int8.onnx", "uncached_decode.int8.onnx", "cached_decode.int8.onnx", "tokens.txt"],
      "encode.int8.onnx",
      "moonshine",
    ],
    [["encoder_model.onnx", "decoder_model_merged.onnx", "tokens.txt"], "encoder_model.onnx", "moonshine-merged"],
    [
      ["encoder_model.onnx", "decoder_model_merged.onnx", "llama-tokenizer.js"],
      "encoder_model.onnx",
      "moonshine-merged",
    ],
    [["encoder_model.onnx", "decoder_model_merged.onnx", "config.json"], "encoder_model.onnx", "alone"],
    [["model.int8.onnx", "tokens.txt"], "model.int8.onnx", "single"],
    [["model.onnx", "voices.bin", "tokens.txt", "espeak-ng-data/phontab"], "model.onnx", "styled-voice"],
    [["en_US-amy.onnx", "tokens.txt", "espeak-ng-data/phontab"], "en_US-amy.onnx", "voice"],
    [["segmentation.onnx", "wespeaker_en.onnx"], "segmentation.onnx", "diarization"],
    [["silero_vad.onnx", "README.md"], "silero_vad.onnx", "alone"],
  ])("%s", (names, weights, shape) => {
    expect(findLayout(names, weights)?.shape).toBe(shape);
  });

  test("of two precisions the one that was named counts, else the smaller one", () => {
    const names = [
      "encoder.onnx",
      "encoder.int8.onnx",
      "decoder.onnx",
      "joiner.onnx",
      "joiner.int8.onnx",
      "tokens.txt",
    ];
    expect(findLayout(names, "encoder.onnx")?.parts).toMatchObject({ encoder: "encoder.onnx", joiner: "joiner.onnx" });
    const small = findLayout(names, "encoder.int8.onnx")?.parts;
    expect(small).toMatchObject({ encoder: "encoder.int8.onnx", decoder: "decoder.onnx", joiner: "joiner.int8.onnx" });
  });

  test("files of a package have its folders in their names", () => {
    const files = new Map([
      ["kokoro/model.onnx", "/1"],
      ["kokoro/tokens.txt", "/2"],
      ["README.md", "/3"],
    ]);
    expect([...filesAround(files, "kokoro/model.onnx")]).toEqual([
      ["model.onnx", "/1"],
      ["tokens.txt", "/2"],
    ]);
  });
});

describe("what a model is, its metadata and inputs say", () => {
  const three = { "decoder.onnx": offline, "joiner.onnx": offline, "tokens.txt": tokens };
  const caches = Array.from({ length: 6 }, (_, index) => `cache_${index}`);
  test.each([
    ["transducer", { "encoder.onnx": offline, ...three }, "encoder.onnx"],
    ["streaming-transducer", { "encoder.onnx": model(["x", "x_lens", ...caches]), ...three }, "encoder.onnx"],
    [
      "streaming-paraformer",
      { "encoder.onnx": model(["x"], { model_type: "paraformer" }), "decoder.onnx": offline, "tokens.txt": tokens },
      "encoder.onnx",
    ],
    [
      "zipformer-ctc",
      { "model.onnx": model(["x"], { model_type: "zipformer2_ctc" }), "tokens.txt": tokens },
      "model.onnx",
    ],
    [
      "streaming-zipformer-ctc",
      { "model.onnx": model(["x", ...caches], { model_type: "zipformer2" }), "tokens.txt": tokens },
      "model.onnx",
    ],
    ["silero-vad", { "vad.onnx": model(["input", "state", "sr"]) }, "vad.onnx"],
    ["silero-vad", { "vad.onnx": model(["input", "sr", "h", "c"]) }, "vad.onnx"],
    ["kokoro", kokoro, "model.onnx"],
  ])("%s", (kind, files, weights) => {
    expect(read(files, weights)?.kind).toBe(kind);
  });

  test("a model of anything else is none of speech", () => {
    expect(read({ "photo.onnx": model(["pixels"]) }, "photo.onnx")).toBeUndefined();
  });

  test("voices have their names", () => {
    expect(read(kokoro, "model.onnx")?.voices).toEqual(["anna", "ben"]);
  });

  test("Moonshine's words are read out of the script that carries them", () => {
    const words = ["<unk>", "<s>", "</s>", "<0x00>", "▁hello"];
    const script = `const a=1,b="${Buffer.from(words.join("\n")).toString("base64")}";run(b)`;
    const files = { "encoder_model.onnx": offline, "decoder_model_merged.onnx": offline, "llama-tokenizer.js": script };
    expect(read(files, "encoder_model.onnx")?.vocabulary).toEqual(words);
    expect(() => read({ ...files, "llama-tokenizer.js": "let x" }, "encoder_model.onnx")).toThrow(
      "no vocabulary of Llama",
    );
  });
});

describe("what native code would stumble over is refused", () => {
  const ctc = (table: string): Readonly<Record<string, Uint8Array | string>> => ({
    "model.onnx": model(["x"], {
      model_type: "sense_voice_ctc",
      vocab_size: "3",
      lfr_window_size: "7",
      lfr_window_shift: "6",
      neg_mean: "0",
      inv_stddev: "1",
    }),
    "tokens.txt": table,
  });
  test.each([
    ["a line without a number", ctc("a 0\nb\nc 2\n"), "has no number of a token in line 2"],
    ["a number that is missing", ctc("a 0\nc 2\n"), "has 2 different numbers, and the greatest is 2"],
    ["no tokens", ctc("\n"), "has no tokens"],
    ["fewer tokens than the model knows", ctc("a 0\nb 1\n"), "has 2 tokens; the model knows 3"],
    [
      "a model that does not say what it is",
      { "model.onnx": offline, "tokens.txt": tokens },
      "does not say in its metadata",
    ],
    [
      "a model of an unknown kind",
      { "model.onnx": model(["x"], { model_type: "telepathy" }), "tokens.txt": tokens },
      '"telepathy"',
    ],
    [
      "metadata that are missing",
      { "model.onnx": model(["x"], { model_type: "sense_voice_ctc" }), "tokens.txt": tokens },
      "vocab_size is missing",
    ],
    [
      "voices of another size",
      { ...kokoro, "voices.bin": new Uint8Array(95) },
      "has 95 bytes; 2 voices of 3,1,4 take 96",
    ],
    ["data that are not whole", { ...kokoro, "espeak-ng-data/phondata": "" }, "phondata is missing or empty"],
    ["bytes that are no model", { ...kokoro, "model.onnx": "junk" }, "model.onnx"],
  ])("%s", (_name, files, expected) => {
    expect(() => read(files, "model.onnx")).toThrow(expected);
  });
});
