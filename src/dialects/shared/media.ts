/** Images and sounds in request bodies: base64 text, or a data URL. Nothing is ever fetched. */
import type { AudioPart, ImagePart } from "../../spec/message.ts";
import { badField } from "./body.ts";

/** `data:image/png;base64,…` → an image. A remote URL is refused: the server opens no connection for a caller. */
export function imageFromUrl(url: string, field: string): ImagePart {
  const match = /^data:(image\/[\w.+-]{1,64});base64,/i.exec(url.slice(0, 128));
  if (!match?.[1]) {
    const hint = "Send the picture itself as `data:image/png;base64,…`; this server does not fetch URLs.";
    throw badField(field, "is not a base64 data URL of an image", hint);
  }
  return { type: "image", mediaType: match[1].toLowerCase(), data: decodeBase64(url.slice(match[0].length), field) };
}

const audioTypes: Readonly<Record<string, string>> = {
  wav: "audio/wav",
  mp3: "audio/mpeg",
  flac: "audio/flac",
  ogg: "audio/ogg",
  opus: "audio/opus",
  m4a: "audio/mp4",
};

export function audioFromBase64(text: string, format: string, field: string): AudioPart {
  const mediaType = audioTypes[format];
  if (!mediaType) throw badField(`${field}.format`, `must be one of ${Object.keys(audioTypes).join(", ")}`);
  return { type: "audio", mediaType, data: decodeBase64(text, `${field}.data`) };
}

/** Strict: Node's own decoder skips what is not base64. */
function decodeBase64(text: string, field: string): Uint8Array {
  if (text === "") throw badField(field, "holds no data");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.replace(/=+$/, "").length % 4 === 1) {
    throw badField(field, "is not valid base64");
  }
  return new Uint8Array(Buffer.from(text, "base64"));
}
