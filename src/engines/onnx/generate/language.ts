/** A language model made of ONNX sessions: a decoder, and what turns tokens and pictures into its rows. */
import { HearthError } from "../../../error.ts";
import type { Tensor } from "../../../formats/tensor.ts";
import { floatToHalf } from "../../../util/half.ts";
import type { OnnxSession } from "../session.ts";
import type { Decoder, Input, Past } from "./decoder.ts";
import type { Prompt } from "./prompt.ts";
import { gridPositions, plainPositions } from "./prompt.ts";

/** Tokens of a prompt that one run takes: a caller who leaves waits for no more. */
const promptChunk = 256;

export interface LanguageOptions {
  readonly decoder: Decoder;
  /** Gives the embeddings of ids, where the decoder takes those. */
  readonly embed?: OnnxSession | undefined;
  /** Places in pictures count in three directions. */
  readonly grids: boolean;
}

/** What an earlier text has left, and how many of its tokens the next one begins with. */
export interface Beginning {
  readonly past: Past;
  readonly tokens: number;
}

/** One text that grows. */
export interface Language {
  /** Logits behind the prompt. `turn` runs each piece of work when it is its turn. */
  read(prompt: Prompt, turn: Turn): Promise<Float32Array>;
  /** Logits behind one more token. */
  next(token: number, turn: Turn): Promise<Float32Array>;
  /** Tokens of the text that were there before. */
  readonly cachedTokens: number;
  readonly past: Past;
}

type Content = Pick<Prompt, "tokens" | "rows">;

export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

export function createLanguage({ decoder, embed, grids }: LanguageOptions, beginning?: Beginning): Language {
  let past: Past = beginning ? decoder.cut(beginning.past, beginning.tokens) : decoder.empty;
  const cachedTokens = past.length;
  let place = 0;
  const compute = async (input: Input, positions: readonly (readonly number[])[], answers: boolean) => {
    const found = await decoder.run(past, { input, positions, answers });
    ({ past } = found);
    return found.logits ?? new Float32Array();
  };
  const inputOf = async (prompt: Content, from: number, to: number): Promise<Input> => {
    const ids = prompt.tokens.slice(from, to);
    if (!decoder.embedded) return { ids };
    return { embeddings: placeRows(await embedIds(embed, ids), prompt, from), count: ids.length };
  };
  return {
    cachedTokens,
    get past() {
      return past;
    },
    async read(prompt, turn) {
      const { tokens } = prompt;
      const grid = grids ? gridPositions(prompt) : undefined;
      let logits: Float32Array = new Float32Array();
      for (let from = cachedTokens; from < tokens.length; from += promptChunk) {
        const to = Math.min(tokens.length, from + promptChunk);
        const positions = grid ? grid.all.map((places) => places.slice(from, to)) : plainPositions(from, to);
        logits = await turn(async () => compute(await inputOf(prompt, from, to), positions, to === tokens.length));
      }
      place = grid?.next ?? tokens.length;
      return logits;
    },
    async next(token, turn) {
      const positions = grids ? [[place], [place], [place]] : [[place]];
      place++;
      const one: Content = { tokens: [token], rows: [] };
      return await turn(async () => compute(await inputOf(one, 0, 1), positions, true));
    },
  };
}

async function embedIds(session: OnnxSession | undefined, ids: readonly number[]): Promise<Tensor> {
  const feed: Tensor = { type: "int64", shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) };
  const name = session?.inputs[0]?.name ?? "";
  const found = Object.values((await session?.run({ [name]: feed })) ?? {})[0];
  if (found) return found;
  throw new HearthError("model_unsupported", "The model has no embed_tokens.onnx, which its decoder needs.");
}

/** Rows of pictures take the place of what the tokens there would have been. `from`: the prompt's token of row 0. */
function placeRows(embeddings: Tensor, { rows }: Content, from: number): Tensor {
  const [, count = 0, width = 0] = embeddings.shape;
  if (!rows.some(({ at, count: own }) => at < from + count && at + own > from)) return embeddings;
  const data = embeddings.data.slice() as Float32Array | Uint16Array;
  for (const { at, count: own, first, features } of rows) {
    for (let row = Math.max(0, from - at); row < Math.min(own, from + count - at); row++) {
      const values = features.data.subarray((first + row) * width, (first + row + 1) * width);
      data.set(data instanceof Uint16Array ? Uint16Array.from(values, floatToHalf) : values, (at + row - from) * width);
    }
  }
  return { ...embeddings, data };
}
