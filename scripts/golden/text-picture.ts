/**
 * Writes the pictures whose text the tests of OCR read: three lines, one of them askew, on paper that is not quite even;
 * and sentences in several fonts and sizes. Needs the pack `onnx` in the tests' cache, and the fonts DejaVu and
 * Liberation: `node scripts/golden/text-picture.ts`.
 */
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { openPictures } from "../../src/engines/media/image.ts";
import { onnxLibrary } from "../../src/engines/onnx/setup.ts";
import { testPack } from "../../test/pack.ts";

const paper = { width: 520, height: 240 };
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${paper.width}" height="${paper.height}">
  <defs><linearGradient id="paper"><stop offset="0" stop-color="#f6f2e6"/><stop offset="1" stop-color="#d8d2c0"/></linearGradient></defs>
  <rect width="100%" height="100%" fill="url(#paper)"/>
  <g font-family="DejaVu Sans, sans-serif" fill="#222">
    <text x="30" y="60" font-size="34">Nothing leaves this house</text>
    <text x="30" y="120" font-size="26">Total: 42.50 EUR</text>
    <text x="40" y="160" font-size="26" transform="rotate(7 40 160)">Hearth keeps it warm</text>
  </g>
</svg>`;

const fonts = ["DejaVu Sans", "Liberation Serif", "DejaVu Sans Mono", "Liberation Sans"];
const styles = ["", 'font-weight="bold"', 'font-style="italic"'];
const heights = [18, 28, 40];
const sentences = [
  "We paid 42.50 for it, in May.",
  "I am one of a dozen who win a lot",
  "Is this a house? No, it is a barn.",
];
const page = { width: 860, height: 680 };
const lines = heights.flatMap((height, row) =>
  sentences.map((sentence, column) => {
    const y = 60 + row * 200 + column * 70 + Math.max(0, row - 2) * 40;
    const font = fonts[(row + column) % fonts.length] ?? "";
    const style = styles[column] ?? "";
    return `<text x="40" y="${y}" font-family="${font}" font-size="${height}" ${style}>${sentence}</text>`;
  }),
);
const words = `<svg xmlns="http://www.w3.org/2000/svg" width="${page.width}" height="${page.height}">
  <rect width="100%" height="100%" fill="#fff"/><g fill="#111">${lines.join("")}</g></svg>`;

const folder = await testPack("onnx");
if (folder === undefined) process.exit(1);
const pictures = await openPictures(onnxLibrary(folder).sharp);
await write("text.png", svg, paper);
await write("words.png", words, page);

async function write(name: string, drawing: string, size: { readonly width: number; readonly height: number }) {
  const white = { ...size, channels: 3, data: new Uint8Array(size.width * size.height * 3).fill(255) } as const;
  const { png } = await pictures.encode(white, [{ input: new TextEncoder().encode(drawing), left: 0, top: 0 }]);
  const target = new URL(`../../src/engines/onnx/__fixtures__/${name}`, import.meta.url);
  writeFileSync(target, png);
  console.log(`${pathToFileURL(target.pathname).href}: ${png.length} bytes`);
}
