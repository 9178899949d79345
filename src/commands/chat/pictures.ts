/** Pictures in a conversation at the terminal: paths in a question, and `--image`. */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { sniffPicture } from "../../engines/media/sniff.ts";
import { HearthError } from "../../error.ts";
import type { ContentPart, ImagePart, Message } from "../../spec/message.ts";
import type { Context } from "../command.ts";
import type { Session } from "./session.ts";

/** A word that ends as the name of a picture does, with spaces escaped or in quotation marks, as terminals drop files. */
const picturePath =
  /"([^"]+\.(?:png|jpe?g|webp|gif|tiff?|avif))"|'([^']+\.(?:png|jpe?g|webp|gif|tiff?|avif))'|((?:\\.|[^\s"'\\])+\.(?:png|jpe?g|webp|gif|tiff?|avif))(?=\s|$|[?!,;:)])/gi;

/** A file of `--image` or `--projector`. Throws `usage` where there is none. */
export function parseFile(text: string, name: string): string {
  const path = resolve(text);
  if (!isFile(path)) throw new HearthError("usage", `${name} is "${text}", and there is no file ${path}.`);
  return path;
}

/** Whether a line starts with the path of a picture, which may look like a command of the chat. */
export function startsWithPicture(text: string): boolean {
  return [...text.matchAll(picturePath)].some((match) => match.index === 0 && isFile(pathOf(match)));
}

export interface Asked {
  /** Files of `--image`. */
  readonly images: readonly string[];
  /** Whether the model sees: then paths in the text that name pictures are taken out, and the pictures go along. */
  readonly sees: boolean;
  readonly onPicture?: (path: string) => void;
}

/** The content of a question; pictures come before the text that speaks of them. */
export function toContent(text: string, { images, sees, onPicture }: Asked): Message["content"] {
  const paths = [...images];
  const rest = !sees
    ? text
    : text.replace(picturePath, (...match: (string | undefined)[]) => {
        const path = pathOf(match);
        if (!isFile(path)) return match[0] ?? "";
        onPicture?.(path);
        paths.push(path);
        return "";
      });
  if (paths.length === 0) return text;
  const parts: ContentPart[] = paths.map(readPicture);
  return rest.trim() === "" ? parts : [...parts, { type: "text", text: rest.trim() }];
}

/** Whether a model sees; read from its files, nothing is loaded. */
export async function seesPictures(
  context: Pick<Context, "hearth">,
  { model, projector }: Pick<Session, "model" | "projector">,
): Promise<boolean> {
  if (projector !== undefined) return true;
  const { library } = await context.hearth();
  const info = await library.inspect(await library.resolve(model));
  return info.capabilities.includes("vision");
}

function readPicture(path: string): ImagePart {
  const data = new Uint8Array(readFileSync(path));
  return { type: "image", mediaType: `image/${kindOf(data, path)}`, data };
}

function kindOf(data: Uint8Array, path: string): string {
  try {
    return sniffPicture(data);
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    throw new HearthError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

/** Of a match of `picturePath`. */
function pathOf([, double, single, bare = ""]: readonly (string | undefined)[]): string {
  return expandHome(double ?? single ?? bare.replaceAll(/\\(.)/g, "$1"));
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function expandHome(path: string): string {
  return resolve(/^~[/\\]/.test(path) ? join(homedir(), path.slice(2)) : path);
}
