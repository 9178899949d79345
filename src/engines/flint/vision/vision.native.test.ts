/** From the bytes of a picture to rows, in threads. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testPack } from "../../../../test/pack.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { picturesModule } from "../../media/pack.ts";
import { openWithKernels } from "./__fixtures__/encode.ts";
import { photo, photoPath, visionFixtures } from "./__fixtures__/fixtures.ts";
import type { Vision } from "./contract.ts";
import { gridOf } from "./figures.ts";
import { openVision } from "./open.ts";
import { visionBytes } from "./setup.ts";
import { tileParts } from "./tile.ts";

const pack = await testPack("pictures");
const pictures = pack === undefined ? "" : picturesModule(pack);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-vision-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function open(name: string, bytes: Uint8Array, width = 64): Promise<Vision> {
  const path = join(folder, `${name}.gguf`);
  await writeFile(path, bytes);
  return await openVision({ path, width, threads: 2, pictures });
}

describe.skipIf(pack === undefined).each(visionFixtures)("a projector of the kind $name", (fixture) => {
  it("makes of a PNG what it makes of its pixels", async () => {
    const vision = await open(fixture.name, fixture.bytes);
    try {
      const parts = await vision.encode({ bytes: await readFile(photoPath) });
      const encoder = openWithKernels(fixture);
      const { family, model } = encoder;
      const expected = (await family.cut(photo, model)).flatMap((piece) => {
        if ("text" in piece) return piece;
        const { tile, between } = piece;
        return tileParts(encoder.encode(tile), gridOf(tile, model), { ...model, between });
      });
      expect(parts).toEqual(expected);
      expect(parts.every((part) => "text" in part || part.rows.length === part.count * vision.width)).toBe(true);
      const tokens = parts.reduce((sum, part) => sum + ("text" in part ? 1 : part.count), 0);
      expect(tokens).toBeLessThanOrEqual(vision.mostTokens);
      const { weightBytes, workBytes } = visionBytes(parseGguf(fixture.bytes, fixture), encoder, 2);
      expect(vision.bytes).toBeGreaterThan(weightBytes);
      expect(vision.bytes).toBeLessThan(weightBytes + workBytes);
    } finally {
      await vision.dispose();
    }
  });
});

describe.skipIf(pack === undefined)("an open projector", () => {
  const [fixture] = visionFixtures;
  let vision: Vision;
  beforeAll(async () => {
    vision = await open("open", fixture!.bytes);
  });
  afterAll(() => vision.dispose());

  it("encodes several pictures at once, each as by itself", async () => {
    const bytes = await readFile(photoPath);
    const alone = await vision.encode({ bytes });
    expect(await Promise.all([1, 2, 3].map(() => vision.encode({ bytes })))).toEqual([alone, alone, alone]);
  });

  it("says what is wrong with bytes that are no picture, and goes on", async () => {
    await expect(vision.encode({ bytes: Uint8Array.of(1, 2, 3) })).rejects.toThrow(/The picture is of no kind/);
    const cut = (await readFile(photoPath)).subarray(0, 500);
    await expect(vision.encode({ bytes: cut })).rejects.toMatchObject({ code: "bad_request" });
    expect(await vision.encode({ bytes: await readFile(photoPath) })).toHaveLength(11);
  });

  it("stops between tiles when the request is cancelled", async () => {
    const bytes = await readFile(photoPath);
    await expect(vision.encode({ bytes }, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    const abort = new AbortController();
    const work = vision.encode({ bytes }, abort.signal);
    abort.abort();
    await expect(work).rejects.toMatchObject({ code: "aborted" });
  });

  it("refuses the projector of another model before anything is started", async () => {
    await expect(open("other", fixture!.bytes, 128)).rejects.toMatchObject({ code: "model_unsupported" });
  });
});
