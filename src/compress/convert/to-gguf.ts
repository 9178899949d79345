import { open } from "node:fs/promises";
import { HearthError } from "../../error.ts";
import { checkModel } from "../../engines/flint/check.ts";
import type { FloatType } from "../../formats/checkpoint/cast.ts";
import { openCheckpoint } from "../../formats/checkpoint/open.ts";
import type { Checkpoint } from "../../formats/checkpoint/open.ts";
import { encodeHeader } from "../../formats/gguf/encode.ts";
import { describeGguf } from "../../models/describe.ts";
import type { Progress } from "../../spec/model.ts";
import { writeOutput } from "../output.ts";
import type { ConvertOptions, ConvertReport, ConvertType } from "./convert.ts";

export const floatTypes: Readonly<Record<ConvertType, FloatType | undefined>> = {
  keep: undefined,
  f16: "F16",
  bf16: "BF16",
  f32: "F32",
};

const pieceBytes = 4 * 1024 ** 2;

type VirtualModel = Pick<Checkpoint, "file" | "metadata" | "read">;

/** Writes the GGUF file as which a checkpoint reads. */
export async function writeModel(folder: string, options: ConvertOptions): Promise<ConvertReport> {
  const checkpoint = openCheckpoint(folder, { type: floatTypes[options.type ?? "keep"] });
  try {
    checkModel(checkpoint.file);
    requireTokenizer(checkpoint);
    const written = await writeVirtual(checkpoint, options);
    return { ...written, notes: notesOf(checkpoint) };
  } finally {
    checkpoint.close();
  }
}

/** Where something goes that only reads as a model yet. */
export interface WriteOptions extends Omit<ConvertOptions, "source" | "type"> {
  /** Default: convert. */
  readonly phase?: Progress["phase"];
}

/** Writes a GGUF file that nobody has written yet. */
export async function writeVirtual(model: VirtualModel, options: WriteOptions): Promise<ConvertReport> {
  const { file, metadata } = model;
  const { out, freeBytes } = options;
  const { architecture } = describeGguf(file);
  const content = file.tensors.map(({ name, typeName, shape }) => ({ name, type: typeName, shape, data: nothing }));
  const header = encodeHeader({ metadata, tensors: content }).bytes;
  const sizeBytes = header.length + file.fileBytes;
  await writeOutput({ path: out, sizeBytes, freeBytes }, (temporary) => write(temporary, header, model, options));
  return { path: out, format: "gguf", architecture, tensors: file.tensors.length, sizeBytes, notes: [] };
}

const nothing = new Uint8Array(0);

/** Other engines know a tokenizer by the words of GGUF alone. */
function requireTokenizer({ file, tokenizerProblem }: Checkpoint): void {
  if (tokenizerProblem === undefined) return;
  throw new HearthError("model_unsupported", `${file.name} cannot be a GGUF file. ${tokenizerProblem}`, {
    hint: "The folder itself runs: `hearth run FOLDER`.",
    details: { field: "tokenizer.json" },
  });
}

function notesOf({ scheme, ignored }: Checkpoint): readonly string[] {
  const left = ignored.slice(0, 3).join(", ");
  return [
    ...(scheme === undefined ? [] : [`The weights are quantized (${scheme}); their types in the file keep the codes.`]),
    ...(ignored.length === 0
      ? []
      : [
          `${ignored.length} tensors that the model does not compute with were left out: ${left}${ignored.length > 3 ? " …" : ""}.`,
        ]),
  ];
}

async function write(
  path: string,
  header: Uint8Array,
  { file, read }: VirtualModel,
  { signal, onProgress, out, phase = "convert" }: WriteOptions,
): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.write(header);
    const buffer = new Uint8Array(Math.min(pieceBytes, file.fileBytes));
    for (let offset = 0; offset < file.fileBytes; offset += pieceBytes) {
      signal?.throwIfAborted();
      const piece = buffer.subarray(0, Math.min(pieceBytes, file.fileBytes - offset));
      read(offset, piece);
      await handle.writeFile(piece);
      onProgress?.({
        phase,
        label: out,
        completedBytes: offset + piece.length,
        totalBytes: file.fileBytes,
      });
    }
  } finally {
    await handle.close();
  }
}
