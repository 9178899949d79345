import { expect, it } from "vitest";
import type { GgufFile, GgufValue } from "../../../formats/gguf/types.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { findVision } from "./__fixtures__/fixtures.ts";
import { checkVision } from "./check.ts";

const { bytes, width } = findVision("idefics3");
const file = parseGguf(bytes, { name: "mmproj.gguf" });

/** The header with another value of `clip.vision.<key>`, or without it. */
function withKey(key: string, value: GgufValue | undefined): GgufFile {
  const metadata = new Map(file.metadata);
  const name = key.startsWith("clip.") ? key : `clip.vision.${key}`;
  if (value === undefined) metadata.delete(name);
  else metadata.set(name, value);
  return { ...file, metadata };
}

function check(changed: GgufFile): () => void {
  return () => checkVision(changed, width);
}

it("takes a projector as it is", () => {
  expect(check(file)).not.toThrow();
});

it.each([
  ["patch_size", 0, /patch_size at byte \d+ is 0/],
  ["patch_size", 33, /patch_size at byte \d+ is 33, more than the image size of 32/],
  ["image_size", 2 ** 30, /image_size at byte \d+ is 1073741824/],
  ["image_size", 16_384, /image_size at byte \d+ is 16384: that is 4194304 patches/],
  ["image_size", 64, /v.position_embd.weight at byte \d+ has the shape 48 × 16; it must be 48 × 64/],
  ["embedding_length", 44, /v.position_embd.weight at byte \d+ has the shape 48 × 16; it must be 44 × 16/],
  ["embedding_length", undefined, /embedding_length at byte \d+ is missing/],
  ["attention.head_count", 5, /head_count at byte \d+ is 5; it must divide the embedding length of 48/],
  ["feed_forward_length", 90, /v.blk.0.ffn_up.bias at byte \d+ has the shape 80; it must be 90/],
  ["block_count", 3, /v.blk.2.ln1.weight at byte \d+ is missing/],
  ["projector.scale_factor", 3, /scale_factor at byte \d+ is 3; it must divide the 4 patches/],
  ["projector.scale_factor", 4, /mm.model.fc.weight at byte \d+ has the shape 192 × 64; it must be 768 × 64/],
  ["preproc_image_size", 100_000, /preproc_image_size at byte \d+ is 100000: 3125 tiles of 32, more than 6/],
  ["image_std", { type: "float32", length: 3, numbers: Float32Array.of(0, 0.5, 0.5) }, /image_std at byte \d+ holds 0/],
  ["image_mean", { type: "float32", length: 1, numbers: Float32Array.of(0.5) }, /image_mean at byte \d+ has 1 elem/],
  ["attention.layer_norm_epsilon", NaN, /layer_norm_epsilon at byte \d+ is NaN/],
] as const)("refuses a projector whose %s is %o", (key, value, message) => {
  expect(check(withKey(key, value))).toThrow(message);
});

it("names a projector of a kind that is not known, and the kinds that are", () => {
  expect(check(withKey("clip.projector_type", "ldpv2"))).toThrow(
    expect.objectContaining({
      code: "model_unsupported",
      message: 'mmproj.gguf has the projector type "ldpv2"; flint does not run it.',
      hint: expect.stringContaining("idefics3, mlp, gemma3") as string,
    }),
  );
});

it("refuses the projector of another model", () => {
  expect(() => checkVision(file, 2048)).toThrow("mmproj.gguf makes rows of 64; the language model takes rows of 2048.");
});

it("refuses a file that only has an encoder of sound", () => {
  expect(check(withKey("clip.has_vision_encoder", false))).toThrow(/has no encoder of pictures/);
});

it("refuses a tensor that its kind has no place for", () => {
  const more = { ...file.tensors.find(({ name }) => name === "v.blk.0.ln1.bias")!, name: "v.blk.0.ls1.weight" };
  const last = file.tensors.at(-1)!;
  const offset = Math.ceil((last.offset + last.sizeBytes) / file.alignment) * file.alignment;
  expect(check({ ...file, tensors: [...file.tensors, { ...more, offset }] })).toThrow(/tensor v.blk.0.ls1.weight/);
});

it("refuses the variants of LLaVA that cut pictures into tiles of other proportions", () => {
  const llava = findVision("llava");
  const parsed = parseGguf(llava.bytes, { name: "mmproj.gguf" });
  const pinpoints = { type: "int32", length: 2, numbers: Int32Array.of(336, 672) } as const;
  const metadata = new Map([...parsed.metadata, ["clip.vision.image_grid_pinpoints", pinpoints] as const]);
  expect(() => checkVision({ ...parsed, metadata }, llava.width)).toThrow(/variant of LLaVA/);
});
