/** Boxes, outlines, lines and names as an SVG picture that is laid over a photograph. */
import type { Box, Point } from "../../spec/media.ts";
import type { Size } from "./image.ts";

/** Colors that neighbors in a list do not share: steps by the golden angle. */
export function colorOf(index: number): { readonly css: string; readonly rgb: readonly [number, number, number] } {
  const hue = (index * 137.508) % 360;
  const rgb = [0, 8, 4].map((step) => {
    const k = (step + hue / 30) % 12;
    return Math.round(255 * (0.55 - 0.45 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
  const [red = 0, green = 0, blue = 0] = rgb;
  return { css: `rgb(${red},${green},${blue})`, rgb: [red, green, blue] };
}

export interface Canvas {
  box(box: Box, label: string, color: string): void;
  outline(corners: readonly Point[], color: string): void;
  line(from: Point, to: Point, color: string): void;
  dot(at: Point, color: string): void;
  svg(): Uint8Array;
}

/** Strokes and letters grow with the picture. */
export function createCanvas({ width, height }: Size): Canvas {
  const stroke = Math.max(1, Math.round(Math.min(width, height) / 240));
  const letter = Math.max(10, Math.round(Math.min(width, height) / 32));
  const shapes: string[] = [];
  return {
    box(box, label, color) {
      const place = `x="${fixed(box.x)}" y="${fixed(box.y)}" width="${fixed(box.width)}" height="${fixed(box.height)}"`;
      shapes.push(`<rect ${place} fill="none" stroke="${color}" stroke-width="${stroke}"/>`);
      if (label === "") return;
      // Above the box, or inside where there is no room.
      const top = box.y >= letter * 1.4 ? box.y - letter * 1.4 : Math.max(0, box.y);
      const wide = label.length * letter * 0.6 + letter * 0.6;
      const x = fixed(Math.max(0, box.x));
      shapes.push(
        `<rect x="${x}" y="${fixed(top)}" width="${fixed(wide)}" height="${fixed(letter * 1.4)}" fill="${color}"/>`,
      );
      const at = `x="${fixed(Math.max(0, box.x) + letter * 0.3)}" y="${fixed(top + letter * 1.05)}"`;
      shapes.push(`<text ${at} font-family="monospace" font-size="${letter}" fill="white">${escape(label)}</text>`);
    },
    outline(corners, color) {
      const points = corners.map(({ x, y }) => `${fixed(x)},${fixed(y)}`).join(" ");
      shapes.push(`<polygon points="${points}" fill="none" stroke="${color}" stroke-width="${stroke}"/>`);
    },
    line(from, to, color) {
      const ends = `x1="${fixed(from.x)}" y1="${fixed(from.y)}" x2="${fixed(to.x)}" y2="${fixed(to.y)}"`;
      shapes.push(`<line ${ends} stroke="${color}" stroke-width="${stroke}" stroke-linecap="round"/>`);
    },
    dot({ x, y }, color) {
      shapes.push(`<circle cx="${fixed(x)}" cy="${fixed(y)}" r="${stroke * 2}" fill="${color}"/>`);
    },
    svg: () =>
      new TextEncoder().encode(
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join("")}</svg>`,
      ),
  };
}

function fixed(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : "0";
}

/** Labels come from model files. XML has no way to write control characters. */
function escape(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return text
    .slice(0, 60)
    .replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "")
    .replaceAll(/[&<>"']/g, (mark) => marks[mark] ?? "");
}
