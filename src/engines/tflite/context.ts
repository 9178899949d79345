/** What the tasks of a model are made of. */
import type { TfliteKind } from "../../formats/tflite/kind.ts";
import type { TfliteMetadata } from "../../formats/tflite/metadata.ts";
import type { PerformOptions, TaskName, Tasks } from "../../spec/perform.ts";
import type { Picture, Pictures } from "../media/image.ts";
import type { Feed } from "./feed.ts";
import { feedPicture } from "./feed.ts";
import type { TfliteSession } from "./session.ts";
import type { Floats } from "./values.ts";
import { toFloats } from "./values.ts";

/** A model that was opened, and what is known of it. */
export interface Opened {
  readonly kind: TfliteKind;
  readonly session: TfliteSession;
  readonly metadata: TfliteMetadata | undefined;
  readonly feed: Feed | undefined;
}

export interface TfliteContext extends Opened {
  readonly name: string;
  /** Name of a class; its number where the model came without names. */
  readonly label: (index: number) => string;
  pictures(): Promise<Pictures>;
  /** Another model in the folder, which finds what this one looks at closely, or the other way round. */
  readonly partner: Opened | undefined;
}

export type RunTask<Name extends TaskName> = (
  request: Tasks[Name]["request"],
  options: PerformOptions<Name>,
) => Promise<Tasks[Name]["result"]>;

export type ModelTasks = { readonly [Name in TaskName]?: RunTask<Name> };

/** Outputs for a picture that has the size of the input, as values, in the order of the signature. */
export async function runOnPicture({ session, feed }: Opened, picture: Picture): Promise<Floats[]> {
  const [input] = session.signature.inputs;
  if (!feed || !input) throw new TypeError("the model takes no picture");
  const outputs = await session.run({ [input.name]: feedPicture(picture, feed) });
  return session.signature.outputs.flatMap(({ name, quantization }) => {
    const output = outputs[name];
    return output ? [toFloats(output, quantization)] : [];
  });
}

/** The output whose shape ends like this; -1: any size. */
export function outputOf(outputs: readonly Floats[], ...end: readonly number[]): Floats | undefined {
  return outputs.find(({ shape }) => {
    const tail = shape.slice(-end.length);
    return tail.length === end.length && tail.every((size, index) => end[index] === -1 || end[index] === size);
  });
}
