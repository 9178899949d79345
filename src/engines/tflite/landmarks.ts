/**
 * MediaPipe's second models: joints of a hand or a body in a square that is cut out around what a detector found, turned
 * so that it stands upright. After Zhang et al., "MediaPipe Hands", 2020, Bazarevsky et al., "BlazePose", 2020, and the
 * graphs of MediaPipe.
 */
import type { TfliteKind } from "../../formats/tflite/kind.ts";
import type { Point } from "../../spec/media.ts";
import type { Figure, Keypoint } from "../../spec/perform.ts";
import type { Picture, Size } from "../media/image.ts";
import type { Region } from "../media/warp.ts";
import { cutRegion, fromRegion } from "../media/warp.ts";
import { logistic } from "./blaze.ts";
import type { BlazeFinding } from "./blaze.ts";
import { toBox } from "./boxes.ts";
import type { Opened } from "./context.ts";
import { outputOf, runOnPicture } from "./context.ts";
import { bodyJoints, handJoints } from "./joints.ts";
import type { Floats } from "./values.ts";

/** How much larger the square is than what was found, and how far it moves up along the hand. */
const handScale = 2.6;
const handShift = -0.5;
const bodyScale = 1.25;

export function wholePicture({ width, height }: Size): Region {
  const size = Math.max(width, height);
  return { x: width / 2, y: height / 2, width: size, height: size, angle: 0 };
}

export function regionOf(finding: BlazeFinding, kind: TfliteKind): Region {
  return kind === "hand" ? handRegion(finding) : bodyRegion(finding);
}

/** Upright is from the wrist to the base of the middle finger. */
function handRegion({ corners, points }: BlazeFinding): Region {
  const { left, top, right, bottom } = corners;
  const angle = uprightAngle(points[0], points[2]);
  const [width, height] = [right - left, bottom - top];
  const size = Math.max(width, height) * handScale;
  return {
    x: (left + right) / 2 - height * handShift * Math.sin(angle),
    y: (top + bottom) / 2 + height * handShift * Math.cos(angle),
    width: size,
    height: size,
    angle,
  };
}

/** The hips are the middle of a circle through the second point. */
function bodyRegion({ points }: BlazeFinding): Region {
  const [middle = { x: 0, y: 0 }, edge = { x: 0, y: 0 }] = points;
  const size = Math.hypot(edge.x - middle.x, edge.y - middle.y) * 2 * bodyScale;
  return { ...middle, width: size, height: size, angle: uprightAngle(middle, edge) };
}

/** By how much a direction is turned clockwise from straight up. */
function uprightAngle(from: Point | undefined, to: Point | undefined): number {
  return from && to ? Math.atan2(to.x - from.x, from.y - to.y) : 0;
}

interface LookOptions {
  readonly picture: Picture;
  readonly region: Region;
  readonly threshold: number;
}

/** Undefined: there is none, after all. */
export async function findJoints(
  looker: Opened,
  { picture, region, threshold }: LookOptions,
): Promise<Figure | undefined> {
  const { feed, kind } = looker;
  if (!feed || !(region.width > 0)) return undefined;
  const outputs = await runOnPicture(looker, cutRegion(picture, region, feed.input));
  const found = kind === "hand" ? readHand(outputs) : readBody(outputs);
  if (!found || found.score < threshold) return undefined;
  const { width } = feed.input;
  const keypoints = found.points.map(({ x, y, z, name, score }): Keypoint => {
    const place = fromRegion(region, { x: x / width, y: y / width });
    return { ...place, z: (z / width) * region.width, name, score };
  });
  const { score, label } = found;
  const lines = kind === "hand" ? handJoints.lines : bodyJoints.lines;
  return { box: boxAround(keypoints, picture), score, ...(label !== undefined && { label }), keypoints, lines };
}

interface Joint extends Point {
  readonly z: number;
  readonly name: string;
  readonly score: number;
}
interface Found {
  readonly score: number;
  readonly label?: string;
  readonly points: readonly Joint[];
}

/** The first of two lists of 63 numbers is in pixels, the other in meters; then how sure it is, and which hand. */
function readHand(outputs: readonly Floats[]): Found | undefined {
  const joints = outputOf(outputs, 1, 63);
  const [presence, side] = outputs.filter(({ data }) => data.length === 1);
  const score = presence?.data[0] ?? 0;
  // The model was trained with pictures of cameras that mirror.
  const label = (side?.data[0] ?? 0) > 0.5 ? "left" : "right";
  if (!joints) return undefined;
  const points = handJoints.names.map((name, index) => jointAt(joints.data, index * 3, { name, score }));
  return { score, label, points };
}

/** 39 joints of five numbers: place, how visible and how present; the last six are of no use to people. */
function readBody(outputs: readonly Floats[]): Found | undefined {
  const joints = outputOf(outputs, 1, 195);
  const presence = outputs.find(({ data }) => data.length === 1);
  if (!joints || !presence) return undefined;
  const points = bodyJoints.names.map((name, index) =>
    jointAt(joints.data, index * 5, { name, score: logistic(joints.data[index * 5 + 3] ?? 0) }),
  );
  return { score: presence.data[0] ?? 0, label: "person", points };
}

function jointAt(data: Float32Array, at: number, rest: Pick<Joint, "name" | "score">): Joint {
  return { x: data[at] ?? 0, y: data[at + 1] ?? 0, z: data[at + 2] ?? 0, ...rest };
}

export function boxAround(points: readonly Point[], size: Size): Figure["box"] {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const corners = { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
  return toBox(corners, size);
}
