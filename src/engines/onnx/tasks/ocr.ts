/** PP-OCR (https://arxiv.org/abs/2009.09941): finds lines of text, turns those that are upside down, and reads them. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { HearthError } from "../../../error.ts";
import type { TextLine } from "../../../spec/perform.ts";
import type { Picture } from "../../media/image.ts";
import type { Region } from "../../media/warp.ts";
import { cutRegion, fromRegion } from "../../media/warp.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import type { OnnxSession } from "../session.ts";
import { toFloats } from "../values.ts";
import type { FoundLine } from "./ocr-find.ts";
import { findLines } from "./ocr-find.ts";
import { lineSize, parseLetters, readLine } from "./ocr-read.ts";
import { toImageTensor } from "./image-input.ts";

interface Reader {
  readonly find: OnnxSession;
  readonly read: OnnxSession;
  /** Tells lines that are upside down. Absent: all are taken as they are. */
  readonly turn: OnnxSession | undefined;
  readonly letters: readonly string[];
}

/** How sure a line has to be one. */
const defaultThreshold = 0.6;
/** How sure it has to be that a line is upside down. */
const leastTurned = 0.9;
/** Taller than wide by this: it is read from top to bottom. */
const vertical = 1.5;

export const openOcr: OpenTasks = async (context) => {
  const reader = await openReader(context);
  return {
    tasks: {
      async ocr({ image, threshold = defaultThreshold }, { signal }) {
        const pictures = await context.pictures();
        const picture = await pictures.decode(image);
        signal?.throwIfAborted();
        const found = await findLines(reader.find, { pictures, picture, leastScore: threshold });
        const lines: TextLine[] = [];
        for (const line of found) {
          signal?.throwIfAborted();
          const read = await readAt(reader, picture, line);
          if (read.text.trim() !== "") lines.push(read);
        }
        return { lines, text: lines.map(({ text }) => text).join("\n") };
      },
    },
  };
};

async function readAt(reader: Reader, picture: Picture, { region }: FoundLine): Promise<TextLine> {
  const turned = region.height > region.width * vertical;
  const upright = turned
    ? { ...region, width: region.height, height: region.width, angle: region.angle - Math.PI / 2 }
    : region;
  const line = cutRegion(picture, upright, lineSize(upright.width, upright.height));
  const way = reader.turn && (await isUpsideDown(reader.turn, picture, upright)) ? reversed(line) : line;
  const { text, score } = await readLine(reader.read, way, reader.letters);
  const corners = [
    { x: 0, y: 0 },
    { x: 1, y: 0 },
    { x: 1, y: 1 },
    { x: 0, y: 1 },
  ].map((corner) => fromRegion(region, corner));
  return { text, score, corners };
}

const turnSize = { width: 192, height: 48 };

async function isUpsideDown(session: OnnxSession, picture: Picture, region: Region): Promise<boolean> {
  const [port] = session.inputs;
  if (!port) return false;
  // A long line is judged by its beginning.
  const width = Math.min(region.width, region.height * (turnSize.width / turnSize.height));
  const start = fromRegion(region, { x: width / region.width / 2, y: 0.5 });
  const line = cutRegion(picture, { ...region, ...start, width }, turnSize);
  const [scores] = Object.values(await session.run({ [port.name]: toImageTensor(line, half, port) }));
  return scores !== undefined && (toFloats(scores).data[1] ?? 0) > leastTurned;
}

const half = { mean: [0.5], std: [0.5], bgr: true };

function reversed({ data, ...picture }: Picture): Picture {
  const out = new Uint8Array(data.length);
  for (let from = 0, to = data.length - 3; to >= 0; from += 3, to -= 3) out.set(data.subarray(from, from + 3), to);
  return { ...picture, data: out };
}

async function openReader(context: OnnxContext): Promise<Reader> {
  const { metadata } = context.info;
  const file = (role: string): string | undefined => {
    const name = metadata[role];
    return typeof name === "string" ? name : undefined;
  };
  const [find, read, turn] = [file("ocr.find"), file("ocr.read"), file("ocr.turn")];
  if (find === undefined || read === undefined) {
    throw new HearthError(
      "model_unsupported",
      `"${context.name}" lacks the part that finds or the one that reads text.`,
    );
  }
  const session = await context.session(read);
  const classes = session.outputs[0]?.shape.at(-1);
  const letters = parseLetters(
    dictionaryOf(context, file("ocr.letters")),
    typeof classes === "number" ? classes : undefined,
  );
  return {
    letters,
    find: await context.session(find),
    read: session,
    turn: turn === undefined ? undefined : await context.session(turn),
  };
}

const mostBytes = 4 * 1024 ** 2;

function dictionaryOf({ folder, name }: OnnxContext, file: string | undefined): string {
  if (file === undefined) {
    throw new HearthError("model_unsupported", `"${name}" has no dictionary of its letters.`, {
      hint: "Put the dictionary (a text file with one letter a line) beside the models.",
    });
  }
  const path = join(folder, file);
  const { size } = statSync(path);
  if (size > mostBytes) throw new HearthError("model_malformed", `${file} has ${size} bytes; a dictionary has fewer.`);
  return readFileSync(path, "utf8");
}
