/** Models that put pictures and texts into one space: CLIP (https://arxiv.org/abs/2103.00020), SigLIP. */
import { HearthError } from "../../../error.ts";
import type { ImageInput } from "../../../spec/media.ts";
import type { Picture } from "../../media/image.ts";
import { needLabels } from "../../media/own-labels.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { openPipeline, toLabels, toRawImage } from "../pipeline.ts";
import type { Floats } from "../values.ts";
import { toFloats } from "../values.ts";
import { configSize, fixedSize, imagenet, scalingOf, toImageTensor } from "./image-input.ts";
import { needImages } from "./vision.ts";
import { openTextEncoder, padTexts } from "../text.ts";

const visionFiles = ["vision_model", "text_model"] as const;

export const openClip: OpenTasks = async (context) => {
  const [vision, text] = visionFiles.map((stem) => fileOf(context, stem));
  const images = vision === undefined ? undefined : await openImages(context, vision);
  const texts = text === undefined ? undefined : await openTexts(context, text);
  const pipe = await openPipeline(context, "zero-shot-image-classification").catch(() => undefined);
  return {
    tasks: {
      async "embed-image"(request, { signal }) {
        if (!images) throw missing(context, "vision_model");
        if (request.texts && request.texts.length > 0 && !texts) throw missing(context, "text_model");
        const vectors = [];
        for (const image of request.images) {
          signal?.throwIfAborted();
          vectors.push(await images(image));
        }
        const textVectors = texts ? await texts(request.texts ?? []) : [];
        return { vectors, textVectors };
      },
      async classify({ images: pictures, labels, topK, hypothesis }, { signal }) {
        if (!pipe) throw missing(context, "model");
        const wanted = needLabels({ labels }, "pictures");
        const found = [];
        for (const image of needImages(pictures)) {
          signal?.throwIfAborted();
          const template = hypothesis === undefined ? {} : { hypothesis_template: hypothesis };
          const scores = toLabels(await pipe(await toRawImage(context, image), wanted, template));
          found.push(scores.sort((a, b) => b.score - a.score).slice(0, topK ?? wanted.length));
        }
        return { labels: found };
      },
    },
    ...(pipe && { dispose: () => pipe.dispose() }),
  };
};

function fileOf({ info }: OnnxContext, stem: string): string | undefined {
  const file = info.metadata[stem];
  return typeof file === "string" ? file : undefined;
}

function missing({ name }: OnnxContext, part: string): HearthError {
  return new HearthError("unsupported_capability", `"${name}" has no file ${part}.onnx, which this needs.`);
}

async function openImages(context: OnnxContext, file: string): Promise<(image: ImageInput) => Promise<Float32Array>> {
  const session = await context.session(file);
  const port = session.inputs.find(({ name }) => name === "pixel_values") ?? session.inputs[0];
  if (!port) throw missing(context, "vision_model");
  const config = context.config("preprocessor_config.json");
  const size = fixedSize(port) ?? configSize(config) ?? { width: 224, height: 224 };
  const scaling = scalingOf(config, imagenet);
  return async (image) => {
    const pictures = await context.pictures();
    const picture = await pictures.resize(squareOf(await pictures.decode(image)), size);
    const outputs = await session.run({ [port.name]: toImageTensor(picture, scaling, port) });
    const found = outputs["image_embeds"] ?? outputs["pooler_output"];
    if (!found) throw missing(context, "vision_model");
    return normalize(toFloats(found), 0);
  };
}

/** The middle of a picture, as CLIP sees it. */
function squareOf({ width, height, channels, data }: Picture): Picture {
  const side = Math.min(width, height);
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const out = new Uint8Array(side * side * channels);
  for (let row = 0; row < side; row++) {
    const from = ((top + row) * width + left) * channels;
    out.set(data.subarray(from, from + side * channels), row * side * channels);
  }
  return { width: side, height: side, channels, data: out };
}

async function openTexts(
  context: OnnxContext,
  file: string,
): Promise<(texts: readonly string[]) => Promise<Float32Array[]>> {
  const [session, encoder] = [await context.session(file), await openTextEncoder(context)];
  return async (texts) => {
    if (texts.length === 0) return [];
    const rows = texts.map((text, index) => encoder.encode(text, { index }));
    const outputs = await session.run(padTexts(rows, session, encoder.padId));
    const found = outputs["text_embeds"] ?? outputs["pooler_output"];
    if (!found) throw missing(context, "text_model");
    const floats = toFloats(found);
    return rows.map((_, index) => normalize(floats, index));
  };
}

function normalize({ shape, data }: Floats, row: number): Float32Array {
  const width = shape.at(-1) ?? 0;
  const vector = data.slice(row * width, (row + 1) * width);
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}
