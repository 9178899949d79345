/** Reads a form with files, within the limits of any body. */
import type { FormBody, UploadedFile } from "../dialects/route.ts";
import { HearthError } from "../error.ts";
import { checkEncoding, readBytes } from "./body.ts";

const mostParts = 256;

/** Throws `body_too_large`, `unsupported_media_type`, `bad_request`. */
export async function readFormBody(request: Request, limitBytes: number): Promise<FormBody> {
  const type = request.headers.get("content-type") ?? "";
  checkEncoding(request.headers);
  if (!/^multipart\/form-data\s*;/i.test(type)) {
    throw new HearthError("unsupported_media_type", "The Content-Type of the body is not multipart/form-data.", {
      hint: "Send a form, e.g. with `curl -F file=@speech.wav`.",
    });
  }
  const bytes = await readBytes(request, limitBytes);
  return await toForm(await parse(bytes, type));
}

async function parse(bytes: Buffer, type: string): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(bytes), { headers: { "content-type": type } }).formData();
  } catch (error) {
    throw new HearthError("bad_request", "The body is no valid multipart form.", { cause: error });
  }
}

async function toForm(form: FormData): Promise<FormBody> {
  const fields = new Map<string, string[]>();
  const files = new Map<string, UploadedFile[]>();
  let count = 0;
  for (const [name, value] of form) {
    if (++count > mostParts) throw new HearthError("bad_request", `The form has more than ${mostParts} parts.`);
    if (typeof value === "string") fields.set(name, [...(fields.get(name) ?? []), value]);
    else {
      const file = { name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) };
      files.set(name, [...(files.get(name) ?? []), file]);
    }
  }
  return { fields, files };
}
