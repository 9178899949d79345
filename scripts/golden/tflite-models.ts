// Puts the TFLite models of the tests into a folder, each under its name of the catalog, for tflite.py:
//   node scripts/golden/tflite-models.ts FOLDER
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { cachedLibrary } from "../../test/real-model.ts";

const names = [
  "mobilenet:v1",
  "ssd-mobilenet:v1",
  "efficientdet:lite0",
  "deeplab:v3",
  "blazeface:short",
  "blazeface:full",
  "selfie-segmentation:general",
  "blazepose:lite",
  "hand-landmarks:full",
];

const library = cachedLibrary();
for (const name of names) {
  const { files } = await library.pull(name);
  const [weights] = files;
  if (weights) copyFileSync(weights.path, join(process.argv[2] ?? ".", `${name.replace(":", "-")}.tflite`));
}
