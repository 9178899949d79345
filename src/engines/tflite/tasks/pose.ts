/** Keypoints of faces, hands and bodies. */
import { partnerKinds } from "../../../formats/tflite/kind.ts";
import type { TfliteKind } from "../../../formats/tflite/kind.ts";
import type { Figure, Keypoint } from "../../../spec/perform.ts";
import type { BlazeFinding } from "../blaze.ts";
import { toBox } from "../boxes.ts";
import type { Opened, RunTask, TfliteContext } from "../context.ts";
import type { FindOptions } from "../find-blaze.ts";
import { findBlaze, kindName } from "../find-blaze.ts";
import type { Joints } from "../joints.ts";
import { faceJoints, palmJoints, personJoints } from "../joints.ts";
import { findJoints, regionOf, wholePicture } from "../landmarks.ts";
import { findMoveNet } from "../movenet.ts";

const defaults = { threshold: 0.5, limit: 20 };
const detectors: readonly TfliteKind[] = ["face-detector", "palm-detector", "person-detector"];

/** A detector finds palms or bodies, and a second model in the folder their joints; each works alone too. */
export function poseWith(context: TfliteContext): RunTask<"pose"> {
  return async ({ image, threshold = defaults.threshold, limit = defaults.limit }, { signal }) => {
    const pictures = await context.pictures();
    const options = { pictures, picture: await pictures.decode(image), threshold, limit };
    if (context.kind === "movenet") return { figures: await findMoveNet(context, options) };
    const models = [context, ...(context.partner ? [context.partner] : [])];
    const detector = models.find(({ kind }) => detectors.includes(kind));
    const looker = models.find(({ kind }) => kind === "hand" || kind === "body");
    if (!detector) return { figures: looker ? await lookAtAll(looker, options) : [] };
    const found = await findBlaze(detector, options);
    if (!looker || partnerKinds[detector.kind] !== looker.kind) {
      return { figures: found.map((finding) => figureOf(detector, finding, options)) };
    }
    const figures: Figure[] = [];
    for (const finding of found) {
      signal?.throwIfAborted();
      const figure = await findJoints(looker, { ...options, region: regionOf(finding, looker.kind) });
      if (figure) figures.push(figure);
    }
    return { figures };
  };
}

async function lookAtAll(looker: Opened, options: FindOptions): Promise<Figure[]> {
  const figure = await findJoints(looker, { ...options, region: wholePicture(options.picture) });
  return figure ? [figure] : [];
}

function jointsOf(kind: TfliteKind): Joints {
  if (kind === "face-detector") return faceJoints;
  return kind === "palm-detector" ? palmJoints : personJoints;
}

function figureOf({ kind }: Opened, { score, corners, points }: BlazeFinding, { picture }: FindOptions): Figure {
  const { names, lines } = jointsOf(kind);
  const keypoints = points.map((point, index): Keypoint => ({ ...point, name: names[index] ?? String(index), score }));
  return { box: toBox(corners, picture), score, label: kindName(kind), keypoints, lines };
}
