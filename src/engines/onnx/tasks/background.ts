/** Models that say of each pixel whether it belongs to what the picture shows: U²-Net (https://arxiv.org/abs/2005.09007), IS-Net, BiRefNet. */
import { HearthError } from "../../../error.ts";
import type { Picture } from "../../media/image.ts";
import type { OpenTasks } from "../context.ts";
import type { Floats } from "../values.ts";
import { sigmoid, toFloats } from "../values.ts";
import { configSize, fixedSize, imagenet, scalingOf, toImageTensor } from "./image-input.ts";

/** Side of the pictures that U²-Net was trained with; the larger ones of IS-Net are only centered. */
const side = 320;
const centered = { mean: [0.5], std: [1] };

export const openBackground: OpenTasks = async (context) => {
  const session = await context.session();
  const [port] = session.inputs;
  if (!port) throw new HearthError("model_unsupported", `The model "${context.name}" has no input.`);
  const config = context.config("preprocessor_config.json");
  const size = fixedSize(port) ?? configSize(config) ?? { width: side, height: side };
  const scaling = scalingOf(config, size.width > 512 ? centered : imagenet);
  const first = session.outputs[0]?.name ?? "";
  return {
    tasks: {
      async "remove-background"({ image }, { signal }) {
        const pictures = await context.pictures();
        const picture = await pictures.decode(image);
        const small = await pictures.resize(picture, size);
        signal?.throwIfAborted();
        const outputs = await session.run({ [port.name]: toImageTensor(small, scaling, port) }, [first]);
        const found = outputs[first];
        if (!found) throw new HearthError("model_unsupported", `The model "${context.name}" gives no mask.`);
        const { width, height } = picture;
        const data = await pictures.resizeMask(toMask(toFloats(found)), { width, height });
        return { ...(await pictures.encode(cutOut(picture, data))), mask: { width, height, data } };
      },
    },
  };
};

/** [.., height, width] → coverage; the least sure pixel is 0 and the surest 255. */
function toMask({ shape, data }: Floats): {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
} {
  const [height = 0, width = 0] = shape.slice(-2);
  const scores = data.subarray(0, width * height);
  let [least, most] = [Infinity, -Infinity];
  for (const score of scores) [least, most] = [Math.min(least, score), Math.max(most, score)];
  // Beyond 0 and 1 they are no shares yet.
  const raw = least < -0.01 || most > 1.01;
  const range = most - least || 1;
  const share = (score: number): number => (raw ? sigmoid(score) : (score - least) / range);
  return { width, height, data: Uint8Array.from(scores, (score) => Math.round(share(score) * 255)) };
}

function cutOut({ width, height, channels, data }: Picture, mask: Uint8Array): Picture {
  const out = new Uint8Array(width * height * 4);
  for (let pixel = 0; pixel < mask.length; pixel++) {
    for (let channel = 0; channel < 3; channel++) out[pixel * 4 + channel] = data[pixel * channels + channel] ?? 0;
    out[pixel * 4 + 3] = mask[pixel] ?? 0;
  }
  return { width, height, channels: 4, data: out };
}
