/** Which files of a folder are a model of speech together, as sherpa-onnx's models are laid out. By their names alone. */

/** Part → name of the file, relative to the folder. `data` is a folder. */
export type SpeechParts = Readonly<Partial<Record<SpeechPart, string>>>;

export type SpeechPart =
  | "model"
  | "encoder"
  | "decoder"
  | "joiner"
  | "preprocessor"
  | "uncachedDecoder"
  | "cachedDecoder"
  | "segmentation"
  | "embedding"
  | "vocoder"
  | "tokens"
  | "vocabulary"
  | "voices"
  | "lexicon"
  | "data";

export type SpeechShape =
  /** An encoder and a decoder; which, its metadata say. */
  | "pair"
  | "transducer"
  | "moonshine"
  | "moonshine-merged"
  /** One file that turns features into tokens. */
  | "single"
  /** One file that turns tokens into sound, with voices beside it. */
  | "styled-voice"
  | "voice"
  | "diarization"
  /** One file and nothing else: voice activity. */
  | "alone";

export interface SpeechLayout {
  readonly shape: SpeechShape;
  readonly parts: SpeechParts;
}

/** File that the data of espeak-ng always have. */
export const dataMarker = "phontab";

/** `weights`: the file of the folder that was named; its precision counts where there are several. */
export function findLayout(names: readonly string[], weights: string): SpeechLayout | undefined {
  const here = new Folder(names, weights);
  const tokens = here.find(/(^|-)tokens\.txt$/);
  if (tokens === undefined) return findBare(here, weights);
  const encoder = here.model(/(^|[-_.])encoder(?!_model)/);
  const decoder = here.model(/(^|[-_.])decoder(?!_model)/);
  const joiner = here.model(/(^|[-_.])joiner/);
  if (encoder !== undefined && decoder !== undefined) {
    if (joiner !== undefined) return { shape: "transducer", parts: { encoder, decoder, joiner, tokens } };
    return { shape: "pair", parts: { encoder, decoder, tokens } };
  }
  return findMoonshine(here, tokens) ?? findSingle(here, tokens);
}

/** Without a table of tokens. */
function findBare(here: Folder, weights: string): SpeechLayout {
  const vocabulary = here.find(/^llama-tokenizer\.js$/);
  const merged = vocabulary === undefined ? undefined : findMerged(here, { vocabulary });
  return merged ?? findDiarization(here) ?? { shape: "alone", parts: { model: weights } };
}

function findMerged(here: Folder, words: SpeechParts): SpeechLayout | undefined {
  const [encoder, decoder] = [here.model(/^encoder_model/), here.model(/^decoder_model_merged/)];
  if (encoder === undefined || decoder === undefined) return undefined;
  return { shape: "moonshine-merged", parts: { encoder, decoder, ...words } };
}

function findMoonshine(here: Folder, tokens: string): SpeechLayout | undefined {
  const merged = findMerged(here, { tokens });
  if (merged) return merged;
  const preprocessor = here.model(/^preprocess/);
  const encode = here.model(/^encode(?!r)/);
  const uncachedDecoder = here.model(/^uncached_decode/);
  const cachedDecoder = here.model(/^cached_decode/);
  if (preprocessor === undefined || encode === undefined || uncachedDecoder === undefined) return undefined;
  if (cachedDecoder === undefined) return undefined;
  return { shape: "moonshine", parts: { preprocessor, encoder: encode, uncachedDecoder, cachedDecoder, tokens } };
}

function findSingle(here: Folder, tokens: string): SpeechLayout | undefined {
  const model = here.weights();
  if (model === undefined) return undefined;
  const voices = here.find(/^voices\.bin$/);
  const marker = here.find(new RegExp(`^espeak-ng-data/${dataMarker}$`));
  const data = marker === undefined ? undefined : "espeak-ng-data";
  const lexicon = here.find(/^lexicon(-[a-z-]+)?\.txt$/);
  const vocoder = here.model(/^(vocos|hifigan|vocoder)/);
  const speaks = { model, tokens, ...(data !== undefined && { data }), ...(lexicon !== undefined && { lexicon }) };
  if (voices !== undefined) return { shape: "styled-voice", parts: { ...speaks, voices } };
  if (data === undefined && lexicon === undefined) return { shape: "single", parts: { model, tokens } };
  return { shape: "voice", parts: { ...speaks, ...(vocoder !== undefined && { vocoder }) } };
}

function findDiarization(here: Folder): SpeechLayout | undefined {
  const segmentation = here.model(/segmentation/);
  const embedding = here.model(/embedding|campplus|eres2net|titanet|wespeaker|speaker/);
  if (segmentation === undefined || embedding === undefined) return undefined;
  return { shape: "diarization", parts: { segmentation, embedding } };
}

/** The names of a folder, with the choice between files that differ in their precision alone. */
class Folder {
  private readonly names: readonly string[];
  private readonly named: string;

  constructor(names: readonly string[], named: string) {
    this.names = names.toSorted();
    this.named = named;
  }

  find(pattern: RegExp): string | undefined {
    return this.names.find((name) => pattern.test(name));
  }

  /** Fewer bits are faster, where nobody has named a file with more. */
  model(pattern: RegExp): string | undefined {
    const found = this.names.filter((name) => name.endsWith(".onnx") && !name.includes("/") && pattern.test(name));
    const wantsWhole = !isSmall(this.named);
    return found.find((name) => name === this.named) ?? found.find((name) => isSmall(name) !== wantsWhole) ?? found[0];
  }

  /** The file that was named, which stands for all of the folder. */
  weights(): string | undefined {
    return this.names.includes(this.named) ? this.named : undefined;
  }
}

function isSmall(name: string): boolean {
  return /[-._](int8|uint8|q8|quantized)\b/.test(name);
}
