/**
 * How keys and values stand in a block: 32 tokens of one layer, head by head. Widths are multiples of 4.
 *
 * - f16: keys [headWidth][32 tokens], so that attention reads the same dimension of neighbouring tokens as one vector;
 *   values [32 tokens][valueWidth].
 * - q8_0: groups of 32 dimensions, the last one perhaps shorter, follow each other. A group is its codes, int8, and then
 *   for each token its largest magnitude as f16; a number is code · largest / 127. Two numbers that a dot product of
 *   16-bit pairs adds up stand together: codes of keys are [pairs of dimensions][32 tokens][2], those of values
 *   [16 tokens][dimensions][2], the second one that of the token 16 further on.
 */

/** Tokens of a block. */
export const blockTokens = 32;

export const cacheTypes = ["f16", "q8_0"] as const;
export type CacheType = (typeof cacheTypes)[number];

export function isCacheType(type: string): type is CacheType {
  return (cacheTypes as readonly string[]).includes(type);
}

export interface CacheTypes {
  readonly keyType: CacheType;
  readonly valueType: CacheType;
}

export interface KeyShape extends Pick<CacheTypes, "keyType"> {
  readonly keyHeads: number;
  readonly headWidth: number;
}

export interface ValueShape extends Pick<CacheTypes, "valueType"> {
  readonly keyHeads: number;
  readonly valueWidth: number;
}

/** Bytes of one layer's keys in a block. */
export function keyBlockBytes({ keyHeads, headWidth, keyType }: KeyShape): number {
  return keyHeads * headBytes(keyType, headWidth);
}

/** Bytes of one layer's values in a block. */
export function valueBlockBytes({ keyHeads, valueWidth, valueType }: ValueShape): number {
  return keyHeads * headBytes(valueType, valueWidth);
}

function headBytes(type: CacheType, width: number): number {
  if (type === "f16") return width * blockTokens * 2;
  const { whole, rest } = groupsOf(width);
  return whole * groupBytes(groupWidth) + (rest > 0 ? groupBytes(rest) : 0);
}

/** Dimensions that share a scale. */
export const groupWidth = 32;

/** Whole groups of a head, and the width of a last one that is shorter; 0: there is none. */
export function groupsOf(width: number): { readonly whole: number; readonly rest: number } {
  return { whole: Math.floor(width / groupWidth), rest: width % groupWidth };
}

/** Codes, and scales. */
export function groupBytes(width: number): number {
  return scalesAt(width) + blockTokens * 2;
}

/** From a token to the one whose value stands beside its own. */
export const pairedTokens: number = blockTokens / 2;

/** Where the scales of a group begin. */
export function scalesAt(width: number): number {
  return width * blockTokens;
}
