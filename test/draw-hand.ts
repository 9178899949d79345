// A hand that a detector takes for one: free photographs of hands are hard to find in packages.
import type { Pictures } from "../src/engines/media/image.ts";

interface Finger {
  /** Where it starts, degrees by which it leans, how long and wide it is. */
  readonly x: number;
  readonly y: number;
  readonly lean: number;
  readonly length: number;
  readonly width: number;
}

const size = { width: 480, height: 480 };
const edge = 'stroke="#b07a58" stroke-width="2"';
const fingers: readonly Finger[] = [
  { x: 190, y: 250, lean: -12, length: 110, width: 36 },
  { x: 228, y: 236, lean: -3, length: 130, width: 38 },
  { x: 268, y: 240, lean: 5, length: 118, width: 36 },
  { x: 304, y: 262, lean: 14, length: 86, width: 32 },
];
const thumb: Finger = { x: 190, y: 330, lean: -52, length: 95, width: 40 };

function drawFinger({ x, y, lean, length, width }: Finger): string {
  const line = (share: number): string => `M ${4 - width / 2} ${-length * share} h ${width - 8}`;
  return `<g transform="translate(${x} ${y}) rotate(${lean})">
    <rect x="${-width / 2}" y="${-length}" width="${width}" height="${length + 30}" rx="${width / 2}" fill="url(#skin)" ${edge}/>
    <path d="${line(0.4)} ${line(0.72)}" ${edge}/>
    <ellipse cx="0" cy="${16 - length}" rx="${width / 4}" ry="12" fill="#e9bfa4"/></g>`;
}

/** Turned clockwise by degrees around (240, 270). PNG of 480 by 480 pixels. */
export async function drawHand(pictures: Pictures, turn: number): Promise<Uint8Array> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">
    <defs><linearGradient id="skin"><stop offset="0" stop-color="#c98f6b"/><stop offset=".5" stop-color="#e3b08e"/>
      <stop offset="1" stop-color="#c08560"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="#7f94a6"/>
    <g transform="rotate(${turn} 240 270)">
      <rect x="200" y="360" width="90" height="160" fill="url(#skin)"/>
      ${fingers.map(drawFinger).join("")}
      <path d="M170 260 Q 165 240 190 235 L 300 240 Q 325 250 320 280 L 300 390 Q 250 410 200 390 Z" fill="url(#skin)" ${edge}/>
      ${drawFinger(thumb)}
      <path d="M200 300 Q 240 320 300 300 M 205 350 Q 230 300 230 270" fill="none" ${edge}/>
    </g></svg>`;
  const ground = { ...size, channels: 3, data: new Uint8Array(size.width * size.height * 3) } as const;
  const { png } = await pictures.encode(ground, [{ input: new TextEncoder().encode(svg), left: 0, top: 0 }]);
  return png;
}
