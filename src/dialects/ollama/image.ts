import type { ImagePart } from "../../spec/message.ts";
import { badField } from "../shared/body.ts";

const signatures: readonly { readonly mediaType: string; readonly test: (data: Uint8Array) => boolean }[] = [
  { mediaType: "image/png", test: startsWith([0x89, 0x50, 0x4e, 0x47]) },
  { mediaType: "image/jpeg", test: startsWith([0xff, 0xd8, 0xff]) },
  { mediaType: "image/gif", test: startsWith([0x47, 0x49, 0x46, 0x38]) },
  { mediaType: "image/bmp", test: startsWith([0x42, 0x4d]) },
  {
    mediaType: "image/webp",
    test: (data) => data.length > 12 && ascii(data, 0, 4) === "RIFF" && ascii(data, 8, 12) === "WEBP",
  },
];

/** Base64 without a prefix, as Ollama's clients send it. The media type is read from the first bytes. */
export function toImagePart(text: string, field: string): ImagePart {
  if (/^[a-z][a-z0-9+.-]*:/i.test(text))
    throw badField(field, "must be the bytes of an image in base64, not a URL; nothing is fetched from the network");
  if (text.length % 4 === 1 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw badField(field, "is not base64");
  const data = new Uint8Array(Buffer.from(text, "base64"));
  const mediaType = signatures.find(({ test }) => test(data))?.mediaType;
  if (mediaType === undefined) throw badField(field, "is not a PNG, JPEG, GIF, BMP or WebP image");
  return { type: "image", mediaType, data };
}

function startsWith(bytes: readonly number[]): (data: Uint8Array) => boolean {
  return (data) => bytes.every((byte, index) => data[index] === byte);
}

function ascii(data: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...data.subarray(from, to));
}
