/** Reads the figures of the layers. */
import { failKey, integerOf, integersOf } from "../../../formats/gguf/check.ts";
import type { GgufFile } from "../../../formats/gguf/types.ts";
import type { LayerParameters } from "./hyperparameters.ts";
import type { FamilyOptions } from "./read.ts";
import { readLocalRope, readRope } from "./rope.ts";
import type { RopeSource } from "./rope.ts";
import { readWindow } from "./window.ts";

export interface Heads {
  /** One element for each layer. */
  readonly heads: readonly number[];
  readonly keyHeads: readonly number[];
}

const any = [0, 2 ** 31] as const;

/** Every layer of the families here has attention. */
export function readHeads(file: GgufFile, architecture: string): Heads {
  const key = (name: string): string => `${architecture}.attention.${name}`;
  const layers = readLayerCount(file, architecture);
  const heads = perLayer(file, key("head_count"), layers) ?? failKey(file, key("head_count"), "is missing");
  const keyHeads = perLayer(file, key("head_count_kv"), layers) ?? heads;
  for (const [layer, count] of heads.entries()) {
    const keyCount = keyHeads[layer] ?? 0;
    if (count === 0) failKey(file, key("head_count"), `is 0 in layer ${layer}`);
    if (keyCount === 0 || count % keyCount !== 0) {
      failKey(file, key("head_count_kv"), `is ${keyCount} in layer ${layer}; it must divide the ${count} heads`);
    }
  }
  return { heads, keyHeads };
}

function readLayerCount(file: GgufFile, architecture: string): number {
  const key = `${architecture}.block_count`;
  const layers = integerOf(file, key, any) ?? failKey(file, key, "is missing");
  return layers > 0 ? layers : failKey(file, key, "is 0");
}

/** One value for each layer, where the header has one for all or a list. */
function perLayer(file: GgufFile, key: string, layers: number): readonly number[] | undefined {
  const value = integersOf(file, key, any);
  if (value === undefined) return undefined;
  if (typeof value === "number") return Array.from({ length: layers }, () => value);
  if (value.length !== layers) failKey(file, key, `has ${value.length} elements, but there are ${layers} layers`);
  return value;
}

export interface LayerSource {
  readonly options: FamilyOptions;
  readonly heads: Heads;
  readonly hasExperts: boolean;
}

export function readLayers(
  source: Omit<RopeSource, "pairing" | "hasFactors" | "hasSections">,
  { options, heads, hasExperts }: LayerSource,
): readonly LayerParameters[] {
  const { file, architecture } = source;
  const hasFactors = options.ropeFactors ?? false;
  const hasSections = options.ropeSections ?? false;
  const global = options.rope && readRope({ ...source, pairing: options.rope, hasFactors, hasSections });
  const own = options.window?.localRope;
  const local = own && global ? readLocalRope({ file, architecture, global, base: own.base }) : global;
  const window = options.window && readWindow(file, architecture, options.window);
  const dense = perLayer(file, `${architecture}.feed_forward_length`, heads.heads.length);
  const expert = hasExperts
    ? perLayer(file, `${architecture}.expert_feed_forward_length`, heads.heads.length)
    : undefined;
  return heads.heads.map((count, layer) => {
    const isLocal = window?.isLocal(layer) ?? false;
    const rope = options.withoutRope?.(layer) ? undefined : isLocal ? local : global;
    return {
      heads: count,
      keyHeads: heads.keyHeads[layer] ?? 0,
      feedForward: expert?.[layer] || (dense?.[layer] ?? 0),
      ...(isLocal && window && { window: window.size }),
      ...(rope && { rope }),
    };
  });
}
