/** Kind of a model, as its description says → how its tasks run. */
import type { OpenTasks } from "./context.ts";

const opener =
  <Name extends string>(load: () => Promise<Readonly<Record<Name, OpenTasks>>>, name: Name): OpenTasks =>
  async (context) =>
    await (await load())[name](context);

const vision = () => import("./tasks/vision.ts");
const score = () => import("./tasks/score.ts");

export const openers: Readonly<Record<string, OpenTasks>> = {
  embed: opener(() => import("./tasks/embed.ts"), "openEmbed"),
  rerank: opener(score, "openRerank"),
  "classify-text": opener(score, "openTextClassifier"),
  tokens: opener(() => import("./tasks/entities.ts"), "openEntities"),
  "classify-image": opener(vision, "openImageClassifier"),
  "classify-sound": opener(() => import("./tasks/sound.ts"), "openSoundClassifier"),
  detect: opener(vision, "openDetector"),
  "detect-words": opener(vision, "openDetector"),
  yolo: opener(() => import("./tasks/yolo.ts"), "openYolo"),
  segment: opener(vision, "openSegmenter"),
  depth: opener(vision, "openDepth"),
  caption: opener(vision, "openCaption"),
  larger: opener(vision, "openLarger"),
  clip: opener(() => import("./tasks/clip.ts"), "openClip"),
  "remove-background": opener(() => import("./tasks/background.ts"), "openBackground"),
  upscale: opener(() => import("./tasks/upscale.ts"), "openUpscale"),
  transcribe: opener(() => import("./tasks/transcribe.ts"), "openTranscribe"),
  translate: opener(() => import("./tasks/translate.ts"), "openTranslate"),
  voice: opener(() => import("./tasks/voice.ts"), "openVoice"),
  generate: opener(() => import("./generate/open.ts"), "openGenerate"),
  ocr: opener(() => import("./tasks/ocr.ts"), "openOcr"),
};
