/** Objects in a picture, with boxes. */
import type { DetectedObject } from "../../../spec/perform.ts";
import { fitPicture } from "../../media/pixels.ts";
import { toBox } from "../boxes.ts";
import { refuseLabels } from "../../media/own-labels.ts";
import type { RunTask, TfliteContext } from "../context.ts";
import { runOnPicture } from "../context.ts";
import { findBlaze, kindName } from "../find-blaze.ts";

const defaults = { threshold: 0.5, limit: 100 };

export function detectWith(context: TfliteContext): RunTask<"detect"> {
  return async ({ image, threshold = defaults.threshold, limit = defaults.limit, labels }) => {
    refuseLabels({ labels }, "a model that looks for words, such as OWL-ViT");
    const pictures = await context.pictures();
    const picture = await pictures.decode(image);
    const options = { pictures, picture, threshold, limit };
    if (context.kind !== "detector") {
      const found = await findBlaze(context, options);
      const label = kindName(context.kind);
      return { objects: found.map(({ corners, score }) => ({ label, score, box: toBox(corners, picture) })) };
    }
    return { objects: await findObjects(context, options) };
  };
}

async function findObjects(
  context: TfliteContext,
  { pictures, picture, threshold, limit }: Parameters<typeof findBlaze>[1],
): Promise<DetectedObject[]> {
  const { feed } = context;
  if (!feed) return [];
  const { width, height } = feed.input;
  const small = await fitPicture(pictures, picture, { width, height, fit: "stretch" });
  const [boxes, classes, scores, count] = fourOutputs(context, await runOnPicture(context, small.picture));
  const objects: DetectedObject[] = [];
  for (let row = 0; row < (count?.[0] ?? 0) && objects.length < limit; row++) {
    const score = scores?.[row] ?? 0;
    if (score < threshold) continue;
    const [top = 0, left = 0, bottom = 0, right = 0] = boxes?.subarray(row * 4, row * 4 + 4) ?? [];
    const corners = {
      left: left * picture.width,
      top: top * picture.height,
      right: right * picture.width,
      bottom: bottom * picture.height,
    };
    objects.push({ label: context.label(classes?.[row] ?? 0), score, box: toBox(corners, picture) });
  }
  return objects;
}

/** Boxes, classes, scores, count: the operator's order, which the model need not keep. */
function fourOutputs(
  { session }: TfliteContext,
  outputs: readonly { readonly data: Float32Array }[],
): (Float32Array | undefined)[] {
  const [graph] = session.model.subgraphs;
  const order =
    graph?.operators
      .at(-1)
      ?.outputs.slice(0, 4)
      .map((tensor) => graph.outputs.indexOf(tensor)) ?? [];
  return order.map((place) => outputs[place]?.data);
}
