/** Models of vision in the layout of transformers.js: classes, objects, areas, depth, descriptions, larger pictures. */
import { HearthError } from "../../../error.ts";
import type { ClassifyRequest, ClassifyResult, DetectedObject, Segment } from "../../../spec/perform.ts";
import { needLabels, refuseLabels } from "../../media/own-labels.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { isConfig } from "../files.ts";
import { numberOf, openPipeline, rows, stringOf, toLabels, toRawImage } from "../pipeline.ts";
import type { TransformersImage, TransformersTensor } from "../transformers.ts";
import { writing } from "../writing.ts";

const defaultTopK = 5;

export const openImageClassifier: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "image-classification");
  const run = async (
    { images, topK = defaultTopK, ...words }: ClassifyRequest,
    signal?: AbortSignal,
  ): Promise<ClassifyResult> => {
    refuseLabels(words, "a model that compares pictures with words, such as CLIP");
    const found = [];
    for (const image of needImages(images)) {
      signal?.throwIfAborted();
      found.push(toLabels(await pipe(await toRawImage(context, image), { top_k: topK })));
    }
    return { labels: found };
  };
  return {
    tasks: { classify: async (request, { signal }) => await run(request, signal) },
    dispose: () => pipe.dispose(),
  };
};

export function needImages(images: ClassifyRequest["images"]): NonNullable<ClassifyRequest["images"]> {
  if (images && images.length > 0) return images;
  throw new HearthError("bad_request", "This model classifies pictures; the request has none.", {
    hint: "Send `images`.",
    details: { field: "images" },
  });
}

export const openDetector: OpenTasks = async (context) => {
  const zeroShot = context.info.metadata["kind"] === "detect-words";
  const pipe = await openPipeline(context, zeroShot ? "zero-shot-object-detection" : "object-detection");
  return {
    tasks: {
      async detect({ image, labels, threshold = zeroShot ? 0.1 : 0.5, limit = 100 }) {
        if (zeroShot) needLabels({ labels }, "pictures");
        else refuseLabels({ labels }, "a model that looks for words, such as OWL-ViT");
        const picture = await toRawImage(context, image);
        const found = await (zeroShot ? pipe(picture, labels, { threshold }) : pipe(picture, { threshold }));
        return {
          objects: rows(found)
            .map(toObject)
            .sort((a, b) => b.score - a.score)
            .slice(0, limit),
        };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

function toObject(row: Readonly<Record<string, unknown>>): DetectedObject {
  const box = isConfig(row["box"]) ? row["box"] : {};
  const [x, y] = [numberOf(box, "xmin"), numberOf(box, "ymin")];
  return {
    label: stringOf(row, "label"),
    score: numberOf(row, "score"),
    box: { x, y, width: numberOf(box, "xmax") - x, height: numberOf(box, "ymax") - y },
  };
}

export const openSegmenter: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "image-segmentation");
  return {
    tasks: {
      async segment({ image, threshold = 0.5 }) {
        const found = await pipe(await toRawImage(context, image), { threshold });
        return { segments: rows(found).flatMap(toSegment) };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

function toSegment(row: Readonly<Record<string, unknown>>): Segment[] {
  const mask = row["mask"] as TransformersImage | undefined;
  if (!mask || mask.channels !== 1) return [];
  // Semantic models give no score of a whole area.
  const score = typeof row["score"] === "number" ? row["score"] : 1;
  const { width, height, data } = mask;
  return [{ label: stringOf(row, "label"), score, mask: { width, height, data: Uint8Array.from(data) } }];
}

export const openDepth: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "depth-estimation");
  return {
    tasks: {
      async depth({ image }) {
        const [found] = rows(await pipe(await toRawImage(context, image)));
        const tensor = found?.["predicted_depth"] as TransformersTensor | undefined;
        if (!tensor) throw new HearthError("model_unsupported", `The model "${context.name}" gives no depth.`);
        const [height = 0, width = 0] = tensor.dims.slice(-2);
        return { width, height, depth: Float32Array.from(tensor.data as Float32Array) };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

const defaultTokens = 64;

export const openCaption: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "image-to-text");
  return {
    tasks: {
      async caption({ image, prompt, maxTokens = defaultTokens }, options) {
        if (prompt !== undefined) {
          throw new HearthError("unsupported_option", "This model describes pictures and takes no `prompt`.", {
            details: { field: "prompt" },
          });
        }
        const more = { max_new_tokens: maxTokens, ...(await writing(context, pipe, options)) };
        const [found] = rows(await pipe(await toRawImage(context, image), more));
        return { text: found ? stringOf(found, "generated_text").trim() : "" };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

/** Swin2SR and its like, which need what `preprocessor_config.json` says. */
export const openLarger: OpenTasks = async (context: OnnxContext) => {
  const pipe = await openPipeline(context, "image-to-image");
  return {
    tasks: {
      async upscale({ image }) {
        const made = (await pipe(await toRawImage(context, image))) as TransformersImage;
        const { width, height, channels } = made;
        if (channels !== 3)
          throw new HearthError("model_unsupported", `The model made a picture of ${channels} channels.`);
        const pictures = await context.pictures();
        return await pictures.encode({ width, height, channels, data: Uint8Array.from(made.data) });
      },
    },
    dispose: () => pipe.dispose(),
  };
};
