/** The request bodies of the routes that manage models. Older clients say `name` where newer ones say `model`. */
import { z } from "zod";
import { badField } from "../shared/body.ts";
import { createParser } from "./fields.ts";

type Maybe<T> = T | null | undefined;

export interface NamedBody {
  readonly model?: Maybe<string>;
  readonly name?: Maybe<string>;
}

export interface PullBody extends NamedBody {
  readonly stream?: Maybe<boolean>;
  readonly insecure?: Maybe<boolean>;
  readonly username?: Maybe<string>;
  readonly password?: Maybe<string>;
}

export interface CopyBody {
  readonly source: string;
  readonly destination: string;
}

export interface ShowBody extends NamedBody {
  readonly verbose?: Maybe<boolean>;
  readonly system?: Maybe<string>;
  readonly template?: Maybe<string>;
  readonly options?: Maybe<Readonly<Record<string, unknown>>>;
}

const flag = z.boolean().nullish();
const text = z.string().max(2048).nullish();
const name = z.string().trim().min(1).max(2048);
const named = { model: text, name: text };

export const parsePullBody: (body: unknown) => PullBody = createParser(
  z.object({ ...named, stream: flag, insecure: flag, username: text, password: text }),
);

export const parseDeleteBody: (body: unknown) => NamedBody = createParser(z.object(named));

export const parseCopyBody: (body: unknown) => CopyBody = createParser(z.object({ source: name, destination: name }));

export const parseShowBody: (body: unknown) => ShowBody = createParser(
  z.object({
    ...named,
    verbose: flag,
    system: z.string().nullish(),
    template: z.string().nullish(),
    options: z.record(z.string(), z.unknown()).nullish(),
  }),
);

export function namedModel({ model, name }: NamedBody): string {
  const text = (model || name || "").trim();
  if (text === "") throw badField("model", "is missing");
  return text;
}
