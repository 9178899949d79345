/** MoveNet: 17 joints of one person, or of several with boxes. https://www.tensorflow.org/hub/tutorials/movenet */
import type { Figure, Keypoint } from "../../spec/perform.ts";
import { fitPicture } from "../media/pixels.ts";
import type { Opened } from "./context.ts";
import { runOnPicture } from "./context.ts";
import type { FindOptions } from "./find-blaze.ts";
import { moveNetJoints } from "./joints.ts";
import { boxAround } from "./landmarks.ts";

/** Numbers of one person: y, x, score of each joint, and of several persons a box and its score after them. */
const jointNumbers = 17 * 3;
const personNumbers = 56;
/** Joints that are less sure than this do not count for the box. */
const sure = 0.2;

export async function findMoveNet(
  opened: Opened,
  { pictures, picture, threshold, limit }: FindOptions,
): Promise<Figure[]> {
  const { feed } = opened;
  if (!feed) return [];
  const { width, height } = feed.input;
  const { picture: small, placement } = await fitPicture(pictures, picture, { width, height, fit: "contain" });
  const [output] = await runOnPicture(opened, small);
  const data = output?.data ?? new Float32Array();
  const step = data.length % personNumbers === 0 ? personNumbers : jointNumbers;
  const figures: Figure[] = [];
  for (let at = 0; at + step <= data.length; at += step) {
    const keypoints = moveNetJoints.names.map((name, index): Keypoint => {
      const [y = 0, x = 0, score = 0] = data.subarray(at + index * 3, at + index * 3 + 3);
      return {
        x: (x * width - placement.left) / placement.scaleX,
        y: (y * height - placement.top) / placement.scaleY,
        name,
        score,
      };
    });
    const mean = keypoints.reduce((sum, { score }) => sum + score, 0) / keypoints.length;
    const score = step === personNumbers ? (data[at + personNumbers - 1] ?? 0) : mean;
    const seen = keypoints.filter((keypoint) => keypoint.score >= sure);
    if (score < threshold || seen.length === 0) continue;
    figures.push({ box: boxAround(seen, picture), score, label: "person", keypoints, lines: moveNetJoints.lines });
  }
  return figures.toSorted((a, b) => b.score - a.score).slice(0, limit);
}
