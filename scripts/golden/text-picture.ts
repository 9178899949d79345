/**
 * Writes the picture whose text the tests of OCR read: three lines, one of them askew, on paper that is not quite even.
 * Needs the pack `onnx` in the tests' cache, and a font: `node scripts/golden/text-picture.ts`.
 */
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { openPictures } from "../../src/engines/media/image.ts";
import { onnxLibrary } from "../../src/engines/onnx/setup.ts";
import { testPack } from "../../test/pack.ts";

const size = { width: 520, height: 240 };
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">
  <defs><linearGradient id="paper"><stop offset="0" stop-color="#f6f2e6"/><stop offset="1" stop-color="#d8d2c0"/></linearGradient></defs>
  <rect width="100%" height="100%" fill="url(#paper)"/>
  <g font-family="DejaVu Sans, sans-serif" fill="#222">
    <text x="30" y="60" font-size="34">Nothing leaves this house</text>
    <text x="30" y="120" font-size="26">Total: 42.50 EUR</text>
    <text x="40" y="160" font-size="26" transform="rotate(7 40 160)">Hearth keeps it warm</text>
  </g>
</svg>`;

const folder = await testPack("onnx");
if (folder === undefined) process.exit(1);
const pictures = await openPictures(onnxLibrary(folder).sharp);
const paper = { ...size, channels: 3, data: new Uint8Array(size.width * size.height * 3).fill(255) } as const;
const { png } = await pictures.encode(paper, [{ input: new TextEncoder().encode(svg), left: 0, top: 0 }]);
const target = new URL("../../src/engines/onnx/__fixtures__/text.png", import.meta.url);
writeFileSync(target, png);
console.log(`${pathToFileURL(target.pathname).href}: ${png.length} bytes`);
