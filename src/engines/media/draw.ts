/** Pictures with what a model found in them drawn over. */
import type { ImageInput, ImageOutput } from "../../spec/media.ts";
import type { Perform, PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import type { Picture, Pictures } from "./image.ts";
import { colorOf, createCanvas } from "./overlay.ts";
import type { Canvas } from "./overlay.ts";

/** How much of a mask's color covers the picture. */
const cover = 0.5;

/** Tasks whose results can be drawn: the request says `draw`, the result carries `drawn`. */
const drawable: ReadonlySet<TaskName> = new Set<Drawable>(["detect", "segment", "pose", "ocr", "depth"]);
type Drawable = "detect" | "segment" | "pose" | "ocr" | "depth";

/** Adds the drawing to an engine's tasks, where the request asks for it. */
export function withDrawing(perform: Perform, pictures: () => Promise<Pictures>): Perform {
  return async <Name extends TaskName>(
    task: Name,
    request: Tasks[Name]["request"],
    options?: PerformOptions<Name>,
  ): Promise<Tasks[Name]["result"]> => {
    const result = await perform(task, request, options);
    if (!isDrawable(task) || !("draw" in request) || !request.draw || !("image" in request)) return result;
    return { ...result, drawn: await draw(await pictures(), request.image, { task, result } as Finding) };
  };
}

function isDrawable(task: TaskName): task is Drawable {
  return drawable.has(task);
}

type Finding = { [Name in Drawable]: { readonly task: Name; readonly result: Tasks[Name]["result"] } }[Drawable];

/** The picture as PNG with boxes, outlines, masks or joints over it; of a depth the depth alone, near is bright. */
export async function draw(pictures: Pictures, image: ImageInput, finding: Finding): Promise<ImageOutput> {
  if (finding.task === "depth") return await pictures.encode(depthPicture(finding.result));
  const picture = await pictures.decode(image);
  const canvas = createCanvas(picture);
  const painted = finding.task === "segment" ? paintMasks(picture, finding.result.segments) : picture;
  drawShapes(canvas, finding);
  return await pictures.encode(painted, [{ input: canvas.svg(), left: 0, top: 0 }]);
}

function drawShapes(canvas: Canvas, finding: Exclude<Finding, { task: "depth" }>): void {
  switch (finding.task) {
    case "detect": {
      const names = [...new Set(finding.result.objects.map(({ label }) => label))];
      // The best ones on top.
      for (const { box, label, score } of finding.result.objects.toReversed()) {
        canvas.box(box, `${label} ${percent(score)}`, colorOf(names.indexOf(label)).css);
      }
      return;
    }
    case "segment":
      return;
    case "pose":
      for (const [index, figure] of finding.result.figures.entries()) drawFigure(canvas, figure, index);
      return;
    case "ocr":
      for (const { corners } of finding.result.lines) canvas.outline(corners, colorOf(0).css);
  }
}

function drawFigure(canvas: Canvas, figure: Tasks["pose"]["result"]["figures"][number], index: number): void {
  const { css } = colorOf(index);
  canvas.box(figure.box, `${figure.label ?? ""} ${percent(figure.score)}`.trim(), css);
  for (const [from, to] of figure.lines) {
    const [start, end] = [figure.keypoints[from], figure.keypoints[to]];
    if (start && end) canvas.line(start, end, css);
  }
  for (const keypoint of figure.keypoints) canvas.dot(keypoint, colorOf(index + 3).css);
}

function paintMasks(picture: Picture, segments: Tasks["segment"]["result"]["segments"]): Picture {
  const data = Uint8Array.from(picture.data);
  for (const [index, { mask }] of segments.entries()) {
    if (mask.width !== picture.width || mask.height !== picture.height) continue;
    const { rgb } = colorOf(index);
    for (const [pixel, value] of mask.data.entries()) {
      if (value === 0) continue;
      const share = (value / 255) * cover;
      const at = pixel * picture.channels;
      for (const [channel, color] of rgb.entries()) {
        data[at + channel] = Math.round((data[at + channel] ?? 0) * (1 - share) + color * share);
      }
    }
  }
  return { ...picture, data };
}

/** From the farthest, black, to the nearest, white. */
function depthPicture({ width, height, depth }: Tasks["depth"]["result"]): Picture {
  let [least, most] = [Infinity, -Infinity];
  for (const value of depth) [least, most] = [Math.min(least, value), Math.max(most, value)];
  const range = most - least || 1;
  const data = new Uint8Array(width * height * 3);
  for (const [pixel, value] of depth.entries())
    data.fill(Math.round(((value - least) / range) * 255), pixel * 3, pixel * 3 + 3);
  return { width, height, channels: 3, data };
}

function percent(score: number): string {
  return `${Math.round(score * 100)}%`;
}
