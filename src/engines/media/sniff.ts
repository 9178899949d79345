import { HearthError } from "../../error.ts";

export type PictureKind = "png" | "jpeg" | "webp" | "gif" | "tiff" | "avif";

const starts: readonly (readonly [PictureKind, string])[] = [
  ["png", "\u0089PNG\r\n\u001a\n"],
  ["jpeg", "\u00ff\u00d8\u00ff"],
  ["gif", "GIF87a"],
  ["gif", "GIF89a"],
  ["tiff", "II*\u0000"],
  ["tiff", "MM\u0000*"],
];

/**
 * The kind of a picture by its first bytes. Nothing else reaches the decoder: SVG and PDF are programs of a kind, and may
 * name other files. Throws `bad_request`.
 */
export function sniffPicture(bytes: Uint8Array): PictureKind {
  const head = String.fromCharCode(...bytes.subarray(0, 32));
  const found = starts.find(([, start]) => head.startsWith(start));
  if (found) return found[0];
  if (head.startsWith("RIFF") && head.slice(8, 12) === "WEBP") return "webp";
  if (head.slice(4, 8) === "ftyp" && /avi[fs]|mif1/.test(head.slice(8))) return "avif";
  const what = bytes.length === 0 ? "The picture is empty" : "The picture is of no kind that is known";
  throw new HearthError("bad_request", `${what}.`, { hint: "Give a PNG, JPEG, WebP, GIF, TIFF or AVIF file." });
}
