import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadOnnxFolder } from "../../../test/onnx-house.ts";
import { testPack } from "../../../test/pack.ts";
import { Message } from "../../formats/protobuf/message.ts";

const pack = await testPack("onnx");
const root = mkdtempSync(join(tmpdir(), "hearth-hub-"));
afterAll(async () => await rm(root, { recursive: true }));

/** y = x + w, where the two numbers of w are in another file. */
function modelWithData(location: string): Uint8Array {
  const entry = (key: string, value: string): Message => new Message().text(1, key).text(2, value);
  const weights = new Message().integer(1, 2).integer(2, 1).text(8, "w");
  weights.message(13, entry("location", location)).message(13, entry("offset", "0"));
  weights.message(13, entry("length", "8")).integer(14, 1);
  const value = (name: string): Message => {
    const shape = new Message().message(1, new Message().integer(1, 2));
    const type = new Message().message(1, new Message().integer(1, 1).message(2, shape));
    return new Message().text(1, name).message(2, type);
  };
  const node = new Message().text(1, "x").text(1, "w").text(2, "y").text(4, "Add");
  const graph = new Message().message(1, node).text(2, "g").message(5, weights);
  graph.message(11, value("x")).message(12, value("y"));
  const model = new Message().integer(1, 8).message(7, graph).message(8, new Message().integer(2, 17));
  const bytes = new Uint8Array(model.length);
  let at = 0;
  for (const piece of model.pieces()) {
    if (!(piece instanceof Uint8Array)) continue;
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The layout of the hub's cache: all names are links to files that are called by their hashes. */
function cacheOf(files: Readonly<Record<string, Uint8Array>>): string {
  const folder = mkdtempSync(join(root, "models--"));
  const snapshot = join(folder, "snapshots", "0123");
  for (const name of ["blobs", "snapshots/0123/onnx"]) mkdirSync(join(folder, name), { recursive: true });
  for (const [index, [name, bytes]] of Object.entries(files).entries()) {
    writeFileSync(join(folder, "blobs", `${index}a`), bytes);
    symlinkSync(`${name.includes("/") ? "../" : ""}../../blobs/${index}a`, join(snapshot, name));
  }
  return snapshot;
}

describe.skipIf(pack === undefined || process.platform === "win32")("a model in the hub's cache", () => {
  it.each(["", "onnx/"])("runs, its data being a link too, in the folder %j", async (subfolder) => {
    const snapshot = cacheOf({
      "config.json": new TextEncoder().encode('{"model_type":"own"}'),
      [`${subfolder}model.onnx`]: modelWithData("model.onnx_data"),
      [`${subfolder}model.onnx_data`]: new Uint8Array(Float32Array.of(10, 20).buffer),
    });
    const model = await loadOnnxFolder(snapshot);
    try {
      const x = { type: "float32", shape: [2], data: Float32Array.of(1, 2) } as const;
      const found = await model.perform?.("infer", { inputs: { x } });
      expect(found?.outputs["y"]?.data).toEqual(Float32Array.of(11, 22));
    } finally {
      await model.dispose();
    }
  });
});
