/** What a picture shows: one probability for each class. */
import type { ImageInput } from "../../../spec/media.ts";
import type { Label } from "../../../spec/perform.ts";
import { fitPicture } from "../../media/pixels.ts";
import { refuseLabels } from "../../media/own-labels.ts";
import type { RunTask, TfliteContext } from "../context.ts";
import { runOnPicture } from "../context.ts";
import { probabilities, unsuitable } from "../values.ts";

const defaultTopK = 5;

export function classifyWith(context: TfliteContext): RunTask<"classify"> {
  return async ({ images = [], texts, sounds, labels, hypothesis, topK = defaultTopK }, { signal }) => {
    if (texts || sounds || images.length === 0) throw unsuitable("This model classifies pictures.", "images");
    refuseLabels({ labels, hypothesis }, "a model that compares pictures with words, such as CLIP");
    const found: Label[][] = [];
    for (const image of images) {
      signal?.throwIfAborted();
      found.push(await classify(context, image, topK));
    }
    return { labels: found };
  };
}

async function classify(context: TfliteContext, image: ImageInput, topK: number): Promise<Label[]> {
  const { feed } = context;
  if (!feed) return [];
  const pictures = await context.pictures();
  const { width, height } = feed.input;
  const { picture } = await fitPicture(pictures, await pictures.decode(image), { width, height, fit: "stretch" });
  const [output] = await runOnPicture(context, picture);
  const scores = probabilities(output?.data ?? new Float32Array());
  return Array.from(scores, (score, index) => ({ label: context.label(index), score }))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, topK);
}
