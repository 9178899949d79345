/** Decoders of compressed sound: WebAssembly modules of a pack, loaded when a file of their kind comes. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { SoundFormat } from "../../formats/audio/detect.ts";
import { badSound } from "../../formats/audio/fault.ts";
import type { DecodedSound, ReadSoundOptions, SoundDecoder } from "../../formats/audio/read.ts";

type Compressed = Exclude<SoundFormat, "wav">;
type MaybeAsync<T> = T | Promise<T>;

/** What the modules have in common. */
interface WasmDecoder {
  readonly ready: Promise<void>;
  decode(bytes: Uint8Array): MaybeAsync<WasmSound>;
  flush?(): MaybeAsync<WasmSound>;
  free(): void;
}
interface WasmSound {
  readonly channelData: readonly Float32Array[];
  readonly samplesDecoded: number;
  readonly sampleRate: number;
  readonly errors?: readonly { readonly message: string }[];
}

const modules: Readonly<Record<Compressed, readonly [module: string, decoder: string]>> = {
  mp3: ["mpg123-decoder", "MPEGDecoder"],
  flac: ["@wasm-audio-decoders/flac", "FLACDecoder"],
  opus: ["ogg-opus-decoder", "OggOpusDecoder"],
  vorbis: ["@wasm-audio-decoders/ogg-vorbis", "OggVorbisDecoder"],
};

/** `pack`: the folder whose `node_modules` have the modules. */
export function createSoundDecoders(pack: string): NonNullable<ReadSoundOptions["openDecoder"]> {
  const require = createRequire(join(pack, "package.json"));
  return async (format) => {
    const [module, name] = modules[format];
    const loaded = (await import(pathToFileURL(require.resolve(module)).href)) as Readonly<
      Record<string, new () => WasmDecoder>
    >;
    const Decoder = loaded[name];
    if (!Decoder) throw new TypeError(`${module} has no ${name}`);
    const decoder = new Decoder();
    await decoder.ready;
    return wrap(decoder, format.toUpperCase());
  };
}

function wrap(decoder: WasmDecoder, format: string): SoundDecoder {
  let sampleRate = 0;
  const take = (sound: WasmSound | undefined): DecodedSound => {
    const [error] = sound?.errors ?? [];
    if (error) throw badSound(`The ${format} file is damaged: ${error.message.slice(0, 200)}.`);
    if (!sound || sound.samplesDecoded === 0) return { channels: [], sampleRate };
    ({ sampleRate } = sound);
    return { channels: sound.channelData, sampleRate };
  };
  return {
    decode: async (bytes) => take(await decoder.decode(bytes)),
    flush: async () => take(await decoder.flush?.()),
    dispose: () => decoder.free(),
  };
}
