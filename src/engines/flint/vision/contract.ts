/** What an encoder of pictures gives to the engine of the language model. */
import type { ImageInput } from "../../../spec/media.ts";

/** What stands for one picture in a prompt, in order. */
export type VisionPart =
  /** Text whose control tokens count, e.g. `<fake_token_around_image><global-img>`. */
  | { readonly text: string }
  /** Rows that stand in place of tokens: count · width float32, one row after the other; `columns` to a line. */
  | { readonly rows: Float32Array; readonly count: number; readonly columns: number };

export interface Vision {
  /** Width of a row: the embedding length of the language model. */
  readonly width: number;
  /** Most tokens that one picture takes, rows and text together: for limits. */
  readonly mostTokens: number;
  /** Memory that it holds. */
  readonly bytes: number;
  /** Throws `bad_request` for what is no picture, and `aborted`. Tiles of several pictures are computed in turn. */
  encode(image: ImageInput, signal?: AbortSignal): Promise<readonly VisionPart[]>;
  dispose(): Promise<void>;
}

export interface VisionSource {
  /** The projector GGUF (`mmproj`). */
  readonly path: string;
  /** What messages call it. Default: the path's last part. */
  readonly name?: string;
  readonly threads: number;
  /** Embedding length of the language model; another projector is refused. */
  readonly width: number;
  /** URL of the main file of sharp, from the pack `pictures`. */
  readonly pictures: string;
  readonly signal?: AbortSignal;
}
