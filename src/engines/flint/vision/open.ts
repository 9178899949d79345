/** Encoders of pictures under Node: threads of their own, so that a picture does not stop the texts of others. */
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { HearthError } from "../../../error.ts";
import { projectorHeader } from "../../../formats/gguf/combined.ts";
import { readGguf } from "../../../formats/gguf/read.ts";
import type { GgufFile, GgufTensor } from "../../../formats/gguf/types.ts";
import type { ImageInput } from "../../../spec/media.ts";
import { abortError } from "../../../util/abort.ts";
import type { Picture } from "../../media/image.ts";
import { openPictures } from "../../media/image.ts";
import { prepareGraph } from "../prepare.ts";
import { startNodeThread } from "../threads/node-thread.ts";
import type { FlintThreads } from "../threads/pool.ts";
import { startThreads } from "../threads/pool.ts";
import type { VocabularyData } from "../tokenizer/vocabulary.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import type { CheckedVision } from "./check.ts";
import { checkVision } from "./check.ts";
import type { Vision, VisionPart, VisionSource } from "./contract.ts";
import { gridOf, outputsOf } from "./figures.ts";
import { setupVision } from "./setup.ts";
import type { Learned } from "./tile.ts";
import { createEntrance, inLines, tileParts } from "./tile.ts";
import { turnedOf } from "./turned.ts";

/** Tokens of the texts around a tile, or of that between its lines, at most. */
const textTokens = 8;

/**
 * Opens a projector. Throws `model_malformed` and `model_unsupported` before memory is taken, `out_of_memory`, and what
 * starting threads throws.
 */
export async function openVision(source: VisionSource): Promise<Vision> {
  const { path, name = basename(path), width, signal } = source;
  const file = projectorHeader(await readGguf(path, { name, signal }));
  const checked = checkVision(file, width);
  const { model } = checked;
  const enter = createEntrance(model, await readLearned(path, file, checked));
  const pictures = await openPictures(source.pictures);
  const { threads, bytes } = await start(source, file, checked);
  const encodeTile = async (tile: Picture, stop: AbortSignal | undefined): Promise<Float32Array> => {
    if (stop?.aborted) throw abortError(stop);
    const { vectors } = await threads.ask({ type: "picture", ...enter(tile) }, "vectors", stop);
    return inLines(vectors[0] ?? new Float32Array(), gridOf(tile, model), model);
  };
  return {
    width,
    // Pictures may be a single column of patches, with a text between any two.
    mostTokens: model.mostTiles * (outputsOf(model) * (model.places === "rope" ? 2 : 1) + textTokens),
    bytes,
    async encode(image: ImageInput, stop) {
      const parts: VisionPart[] = [];
      for (const piece of await checked.family.cut(await pictures.decode(image), model)) {
        if ("text" in piece) parts.push(piece);
        else {
          const { tile, between } = piece;
          parts.push(...tileParts(await encodeTile(tile, stop), gridOf(tile, model), { ...model, between }));
        }
      }
      return parts;
    },
    dispose: () => threads.dispose(),
  };
}

/** Tiles bring rows, and no tokens. */
const noVocabulary: VocabularyData = {
  bytes: new Uint8Array(0),
  starts: Uint32Array.of(0),
  kinds: new Uint8Array(0),
  byteLevel: false,
  endTokens: new Set(),
};

async function start(
  { path, threads: workers, signal }: VisionSource,
  file: GgufFile,
  checked: CheckedVision,
): Promise<{ readonly threads: FlintThreads; readonly bytes: number }> {
  const { pass, options } = setupVision(checked, workers);
  const { setup, kernels, usedBytes } = prepareGraph(file, pass, options);
  const source = { path, turned: turnedOf(file, checked.model) };
  const started = startThreads({ workers, file: source, start: startNodeThread, signal });
  try {
    started.load({ setup });
    const module = await WebAssembly.compile(kernels());
    return { threads: await started.ready({ module, vocabulary: noVocabulary }), bytes: usedBytes() };
  } catch (error) {
    await started.end();
    throw error;
  }
}

async function readLearned(path: string, file: GgufFile, { model }: CheckedVision): Promise<Learned> {
  if (model.places !== "learned") return {};
  const handle = await open(path, "r");
  const floats = async (name: string): Promise<Float32Array> => {
    const { typeName, shape, sizeBytes, offset } = tensorOf(file, name);
    const bytes = new Uint8Array(sizeBytes);
    const { bytesRead } = await handle.read(bytes, 0, sizeBytes, file.dataOffset + offset);
    if (bytesRead < sizeBytes) throw new HearthError("model_malformed", `${file.name} ends within the tensor ${name}.`);
    const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
    toFloat32(typeName, bytes, values);
    return values;
  };
  try {
    const positions = await floats("v.position_embd.weight");
    return { positions, classEmbedding: model.hasClass ? await floats("v.class_embd") : undefined };
  } finally {
    await handle.close();
  }
}

function tensorOf({ tensors }: GgufFile, name: string): GgufTensor {
  const tensor = tensors.find((one) => one.name === name);
  if (!tensor) throw new RangeError(`no tensor ${name}`);
  return tensor;
}
