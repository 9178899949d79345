/**
 * Tasks beyond what OpenAI's API has, in its manner: JSON or a form in, JSON out, errors alike. Pictures come as data URLs
 * or uploads; nothing is fetched.
 */
import { z } from "zod";
import type { ImageInput, ImageOutput } from "../../spec/media.ts";
import type { Mask, TaskName, Tasks } from "../../spec/perform.ts";
import type { PerformTaskRequest } from "../../spec/task.ts";
import type { Hearth } from "../../tasks/contract.ts";
import { encodeGrayPng } from "../../util/png.ts";
import type { FormBody, Reply, Route, RouteRequest } from "../route.ts";
import { badField, parseBody } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import { oneFile, singleFields } from "../shared/form.ts";
import { imageFromUrl } from "../shared/media.ts";
import { callerOf } from "./caller.ts";

const common = {
  model: z.string().min(1).max(512),
  keep_alive: z.union([z.string(), z.number()], { error: "must be a duration or a number of seconds" }).optional(),
};
const image = z.union([z.string(), z.instanceof(Uint8Array)], { error: "must be a data URL, or an uploaded file" });
const share = z.coerce.number({ error: "must be a number from 0 to 1" }).min(0).max(1).optional();
/** Forms carry text only. */
const flag = z.union([z.boolean(), z.enum(["true", "false"])], { error: "must be true or false" }).optional();
const words = z.array(z.string().min(1).max(1000)).min(1).max(1000).optional();
const text = z.string().min(1).max(1_000_000);

const looking = { ...common, image, threshold: share, draw: flag };
const bodies = {
  classify: z.object({
    ...common,
    input: z.union([text, z.array(text).min(1).max(2048)]).optional(),
    image: image.optional(),
    labels: words,
    hypothesis: z.string().max(1000).optional(),
    top_k: z.coerce.number().int().min(1).max(10_000).optional(),
  }),
  entities: z.object({ ...common, input: z.union([text, z.array(text).min(1).max(2048)]) }),
  find: z.object({ ...looking, limit: z.coerce.number().int().min(1).max(10_000).optional(), labels: words }),
  look: z.object(looking),
  image: z.object({ ...common, image }),
  caption: z.object({
    ...common,
    image,
    prompt: z.string().max(10_000).optional(),
    max_tokens: z.coerce.number().int().min(1).optional(),
  }),
  sound: z.object({
    ...common,
    file: z.instanceof(Uint8Array, { error: "must be an uploaded sound file, the part `file` of a form" }),
    speakers: z.coerce.number().int().min(1).max(1000).optional(),
    threshold: share,
  }),
  translate: z.object({
    ...common,
    input: text,
    from: z.string().max(32).optional(),
    to: z.string().max(32).optional(),
  }),
} as const;

type Common = { readonly model: string; readonly keep_alive?: string | number | undefined };

/** What a route makes of its body, and of the result. */
interface TaskRoute<Name extends TaskName, Body extends Common> {
  readonly path: string;
  readonly task: Name;
  readonly schema: z.ZodType<Body>;
  readonly toInput: (body: Body) => Tasks[Name]["request"];
  readonly toBody: (result: Tasks[Name]["result"]) => Readonly<Record<string, unknown>>;
}

function route<Name extends TaskName, Body extends Common>(each: TaskRoute<Name, Body>): Route {
  const { path, task, schema, toInput, toBody } = each;
  const handle = async (request: RouteRequest, hearth: Hearth): Promise<Reply> => {
    const body = parseBody(schema, isForm(request.body) ? fromForm(request.body) : request.body);
    const keepAliveMs = body.keep_alive === undefined ? undefined : parseKeepAlive(body.keep_alive);
    const asked: PerformTaskRequest<Name> = {
      task,
      model: body.model,
      input: toInput(body),
      ...callerOf(request),
      ...defined({ keepAliveMs }),
    };
    const { model, output } = await hearth.perform(asked);
    return { kind: "json", body: { model, ...toBody(output) } };
  };
  return { method: "POST", path, access: "infer", takes: "any", handle };
}

function isForm(body: unknown): body is FormBody {
  return typeof body === "object" && body !== null && "fields" in body && body.fields instanceof Map;
}

/** A form as the JSON body would be; a file is its bytes. */
function fromForm(form: FormBody): Record<string, unknown> {
  const { labels, ...fields } = singleFields(form, [...form.fields.keys()]);
  const files = [...form.files.keys()].map((name) => [name, oneFile(form, name).bytes] as const);
  return { ...fields, ...(labels !== undefined && { labels: labels.split(",") }), ...Object.fromEntries(files) };
}

function toImage(value: string | Uint8Array): ImageInput {
  return { bytes: typeof value === "string" ? imageFromUrl(value, "image").data : value };
}

function toLook({ image: picture, threshold, draw }: z.infer<typeof bodies.look>) {
  return { image: toImage(picture), ...defined({ threshold, draw: isTrue(draw) ? true : undefined }) };
}

function isTrue(value: boolean | "true" | "false" | undefined): boolean {
  return value === true || value === "true";
}

function drawing({ drawn }: { readonly drawn?: ImageOutput }): object {
  return drawn ? { drawn: toDataUrl(drawn.png) } : {};
}

function toDataUrl(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
}

function toMask(mask: Mask): string {
  return toDataUrl(encodeGrayPng(mask));
}

function asList(input: string | readonly string[]): readonly string[] {
  return typeof input === "string" ? [input] : input;
}

export const taskRoutes: readonly Route[] = [
  route({
    path: "/v1/classify",
    task: "classify",
    schema: bodies.classify,
    toInput({ input, image: picture, labels, hypothesis, top_k: topK }) {
      if ((input === undefined) === (picture === undefined))
        throw badField("input", "or image must be there, and not both");
      const what = picture === undefined ? { texts: asList(input ?? "") } : { images: [toImage(picture)] };
      return { ...what, ...defined({ labels, hypothesis, topK }) };
    },
    toBody: ({ labels }) => ({ data: labels.map((found, index) => ({ index, labels: found })) }),
  }),
  route({
    path: "/v1/entities",
    task: "tokens",
    schema: bodies.entities,
    toInput: ({ input }) => ({ texts: asList(input) }),
    toBody: ({ entities }) => ({ data: entities.map((found, index) => ({ index, entities: found })) }),
  }),
  route({
    path: "/v1/detect",
    task: "detect",
    schema: bodies.find,
    toInput: ({ limit, labels, ...body }) => ({ ...toLook(body), ...defined({ limit, labels }) }),
    toBody: (result) => ({ objects: result.objects, ...drawing(result) }),
  }),
  route({
    path: "/v1/pose",
    task: "pose",
    schema: bodies.find,
    toInput: ({ limit, labels, ...body }) => ({ ...toLook(body), ...defined({ limit, labels }) }),
    toBody: (result) => ({ figures: result.figures, ...drawing(result) }),
  }),
  route({
    path: "/v1/segment",
    task: "segment",
    schema: bodies.look,
    toInput: toLook,
    toBody: (result) => ({
      segments: result.segments.map(({ label, score, mask }) => ({ label, score, mask: toMask(mask) })),
      ...drawing(result),
    }),
  }),
  route({
    path: "/v1/ocr",
    task: "ocr",
    schema: bodies.look,
    toInput: toLook,
    toBody: (result) => ({ text: result.text, lines: result.lines, ...drawing(result) }),
  }),
  route({
    path: "/v1/depth",
    task: "depth",
    schema: bodies.image,
    toInput: ({ image: picture }) => ({ image: toImage(picture), draw: true }),
    toBody: (result) => ({ width: result.width, height: result.height, ...drawing(result) }),
  }),
  route({
    path: "/v1/caption",
    task: "caption",
    schema: bodies.caption,
    toInput: ({ image: picture, prompt, max_tokens: maxTokens }) => ({
      image: toImage(picture),
      ...defined({ prompt, maxTokens }),
    }),
    toBody: (result) => ({ text: result.text }),
  }),
  route({
    path: "/v1/remove-background",
    task: "remove-background",
    schema: bodies.image,
    toInput: ({ image: picture }) => ({ image: toImage(picture) }),
    toBody: ({ png, width, height, mask }) => ({ image: toDataUrl(png), width, height, mask: toMask(mask) }),
  }),
  route({
    path: "/v1/upscale",
    task: "upscale",
    schema: bodies.image,
    toInput: ({ image: picture }) => ({ image: toImage(picture) }),
    toBody: ({ png, width, height }) => ({ image: toDataUrl(png), width, height }),
  }),
  route({
    path: "/v1/audio/diarizations",
    task: "diarize",
    schema: bodies.sound,
    toInput: ({ file, speakers }) => ({ audio: { bytes: file }, ...defined({ speakers }) }),
    toBody: ({ turns, seconds }) => ({ turns, duration: seconds }),
  }),
  route({
    path: "/v1/audio/voice",
    task: "voice",
    schema: bodies.sound,
    toInput: ({ file, threshold }) => ({ audio: { bytes: file }, ...defined({ threshold }) }),
    toBody: ({ spans, seconds }) => ({ spans, duration: seconds }),
  }),
  route({
    path: "/v1/translate",
    task: "translate",
    schema: bodies.translate,
    toInput: ({ input, from, to }) => ({ text: input, ...defined({ from, to }) }),
    toBody: (result) => ({ text: result.text }),
  }),
];
