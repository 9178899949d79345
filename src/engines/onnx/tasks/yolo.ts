/**
 * Detectors in one file without a description, told by their outputs: [1, 4 + classes, boxes] (one score for each class),
 * [1, boxes, 5 + classes] (an object's score times a class's), and [1, boxes, 6] (corners, score, class).
 */
import { HearthError } from "../../../error.ts";
import type { DetectedObject } from "../../../spec/perform.ts";
import type { Placement } from "../../media/pixels.ts";
import { fitPicture } from "../../media/pixels.ts";
import type { OpenTasks } from "../context.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";
import { clip, keepBest } from "./detect-boxes.ts";
import { fixedSize, toImageTensor, unit } from "./image-input.ts";

const defaultSide = 640;
const gray = 114;
const defaultThreshold = 0.25;
const defaultLimit = 100;

export const openYolo: OpenTasks = async (context) => {
  const session = await context.session();
  const [port] = session.inputs;
  if (!port) throw new HearthError("model_unsupported", `The model "${context.name}" has no input.`);
  const size = fixedSize(port) ?? { width: defaultSide, height: defaultSide };
  const names = parseNames(context.info.metadata["names"]);
  return {
    tasks: {
      async detect({ image, threshold = defaultThreshold, limit = defaultLimit, labels }, { signal }) {
        if (labels) {
          throw new HearthError("unsupported_option", "This model finds what it was trained for, not `labels`.");
        }
        const pictures = await context.pictures();
        const picture = await pictures.decode(image);
        const fitted = await fitPicture(pictures, picture, { ...size, fit: "contain", fill: gray });
        signal?.throwIfAborted();
        const outputs = await session.run({ [port.name]: toImageTensor(fitted.picture, unit, port) });
        const [found] = Object.values(outputs);
        if (!found) throw new HearthError("model_unsupported", `The model "${context.name}" gives nothing.`);
        const boxes = readBoxes(toFloats(found), threshold);
        const objects = boxes.map((box) => toObject(box, fitted.placement, (index) => names[index] ?? String(index)));
        return { objects: keepBest(objects, limit).map((object) => ({ ...object, box: clip(object.box, picture) })) };
      },
    },
  };
};

/** Middle and size in pixels of what the model sees. */
interface RawBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly label: number;
  readonly score: number;
}

export function readBoxes({ shape, data }: Floats, threshold: number): RawBox[] {
  const [rows = 0, columns = 0] = shape.slice(-2);
  if (columns === 6) return readCorners(data, rows, threshold);
  // More boxes than numbers of each: the boxes lie side by side.
  const acrossed = rows < columns;
  const [boxes, fields] = acrossed ? [columns, rows] : [rows, columns];
  const at = (box: number, field: number): number =>
    data[acrossed ? field * columns + box : box * columns + field] ?? 0;
  const first = acrossed ? 4 : 5;
  const found: RawBox[] = [];
  for (let box = 0; box < boxes; box++) {
    let label = 0;
    for (let field = first + 1; field < fields; field++) {
      if (at(box, field) > at(box, first + label)) label = field - first;
    }
    const score = at(box, first + label) * (acrossed ? 1 : at(box, 4));
    if (score < threshold) continue;
    found.push({ x: at(box, 0), y: at(box, 1), width: at(box, 2), height: at(box, 3), label, score });
  }
  return found;
}

function readCorners(data: Float32Array, rows: number, threshold: number): RawBox[] {
  return Array.from({ length: rows }, (_, row) => {
    const [left = 0, top = 0, right = 0, bottom = 0, score = 0, label = 0] = data.subarray(row * 6, row * 6 + 6);
    return { x: (left + right) / 2, y: (top + bottom) / 2, width: right - left, height: bottom - top, score, label };
  }).filter(({ score }) => score >= threshold);
}

function toObject(box: RawBox, placement: Placement, name: (index: number) => string): DetectedObject {
  const { scaleX, scaleY, left, top } = placement;
  return {
    label: name(box.label),
    score: box.score,
    box: {
      x: (box.x - box.width / 2 - left) / scaleX,
      y: (box.y - box.height / 2 - top) / scaleY,
      width: box.width / scaleX,
      height: box.height / scaleY,
    },
  };
}

/** `{0: 'person', 1: 'bicycle'}`, as such files carry it in their metadata. */
export function parseNames(text: unknown): string[] {
  if (typeof text !== "string") return [];
  const names: string[] = [];
  for (const match of text.matchAll(/(\d{1,5})\s*:\s*(?:'([^']*)'|"([^"]*)")/g))
    names[Number(match[1])] = match[2] ?? match[3] ?? "";
  return names;
}
