/** Made-up texts, pictures and sounds: the same in every run. What is in them plays no part in how long they take. */
import type { AudioInput, ImageInput } from "../../spec/media.ts";
import { encodeGrayPng } from "../../util/png.ts";

const words =
  "river stone window letter garden copper winter bridge candle market silver forest engine harbour paper mountain " +
  "kitchen thunder velvet lantern meadow barrel compass feather orchard anchor pebble saddle ribbon hammer cellar " +
  "walks finds carries opens counts watches paints follows builds answers early slowly often bright heavy quiet";
const list = words.split(" ");

/** Tokens of one text, about: 32 words. */
export const textTokens = 42;

/** Texts of about so many tokens, all different. */
export function makeTexts(count: number, random: () => number, tokens: number = textTokens): string[] {
  const word = (): string => list[Math.floor(random() * list.length)] ?? "river";
  // Those at both ends are no words, and of five words one is two tokens.
  const words = Math.max(1, Math.round((tokens - 2) * 0.8));
  return Array.from({ length: count }, () => Array.from({ length: words }, word).join(" "));
}

const picture = { width: 640, height: 480 };

/** Gray noise on a slope, with a bright rectangle in it. */
export function makePicture(random: () => number): ImageInput {
  const { width, height } = picture;
  const data = new Uint8Array(width * height);
  for (let at = 0; at < data.length; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    const inside = x > width / 4 && x < width / 2 && y > height / 4 && y < height / 2;
    data[at] = (inside ? 200 : 40 + (80 * x) / width) + 32 * random();
  }
  return { bytes: encodeGrayPng({ width, height, data }) };
}

export const soundSeconds = 5;
const sampleRate = 16_000;

/** Five seconds of a hum that swells and fades three times a second, with noise. */
export function makeSound(random: () => number): AudioInput {
  const samples = Float32Array.from({ length: soundSeconds * sampleRate }, (_, at) => {
    const seconds = at / sampleRate;
    const swell = 0.5 - 0.5 * Math.cos(2 * Math.PI * 3 * seconds);
    const hum = Math.sin(2 * Math.PI * 140 * seconds) + 0.5 * Math.sin(2 * Math.PI * 280 * seconds);
    return 0.2 * swell * hum + 0.02 * (random() - 0.5);
  });
  return { samples, sampleRate };
}

export const sentence = "The ferry leaves the harbour at six.";
