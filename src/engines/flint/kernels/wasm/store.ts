/**
 * Keys and values into the paged cache, as f16. A block holds 32 tokens of one layer: its keys are
 * [key head][headWidth][token], so that attention reads the same dimension of neighbouring tokens as one vector, and
 * its values [key head][token][valueWidth].
 */
import type { FunctionCode, Local } from "./code.ts";
import { func, sequence } from "./code.ts";
import { constantsOf } from "./constants.ts";
import { toHalf } from "./half.ts";
import { i16x8, i32, v128 } from "./instructions.ts";
import { advance, repeat } from "./lanes.ts";
import type { RotateShape } from "./rope.ts";
import { rotateName, rotateRow } from "./rope.ts";

/** Tokens of a block. */
export const blockTokens = 32;
/** Bytes from one dimension of a key to the next. */
const keyStep = blockTokens * 2;

/** Bytes of one layer's keys in a block; likewise its values. */
export function keyBlockBytes(keyHeads: number, headWidth: number): number {
  return keyHeads * headWidth * keyStep;
}

export interface StoreShape {
  readonly keyHeads: number;
  /** Of a head; a multiple of 4. */
  readonly width: number;
}

export function storeKeysName(shape: RotateShape): string {
  return `store-keys-${rotateName(shape)}`;
}

/**
 * (k, table, block, slot, scratch): rotates the row k (see `rotate`; `heads` are the key heads) and stores it as token
 * `slot`, 0 to 31, of the block whose keys of the layer start at address `block`. Scratch: as many bytes as the row.
 */
export function storeKeys(shape: RotateShape): FunctionCode {
  return func(storeKeysName(shape), (scope) => {
    const [k, table, block, slot, scratch] = Array.from({ length: 5 }, () => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const constants = constantsOf(scope);
    const count = scope.local("i32");
    const vector = scope.local("v128");
    const source = shape.rope ? scratch : k;
    const rotated = shape.rope ? rotateRow({ scope, constants, x: k, table, y: scratch }, shape) : [];
    const four = sequence(
      vector.set(toHalf({ scope, constants }, v128.load(source.get))),
      ...[0, 1, 2, 3].map((lane) => v128.store16lane(block.get, vector.get, lane * 2, lane * keyStep)),
      advance([source], 16),
      advance([block], 4 * keyStep),
    );
    return sequence(
      constants.load(),
      rotated,
      block.set(i32.add(block.get, i32.shl(slot.get, i32.const(1)))),
      count.set(i32.const((shape.heads * shape.headWidth) / 4)),
      repeat(count, four),
    );
  });
}

export function storeValuesName({ keyHeads, width }: StoreShape): string {
  return `store-values-${keyHeads}x${width}`;
}

/** (v, block, slot): stores the row v as token `slot` of the block whose values of the layer start at `block`. */
export function storeValues(shape: StoreShape): FunctionCode {
  const { keyHeads, width } = shape;
  return func(storeValuesName(shape), (scope) => {
    const [v, block, slot] = Array.from({ length: 3 }, () => scope.param("i32")) as [Local, Local, Local];
    const constants = constantsOf(scope);
    const heads = scope.local("i32");
    const count = scope.local("i32");
    const vector = scope.local("v128");
    const four = sequence(
      vector.set(toHalf({ scope, constants }, v128.load(v.get))),
      v128.store64lane(block.get, i16x8.narrow32u(vector.get, vector.get), 0),
      advance([v], 16),
      advance([block], 8),
    );
    // The other tokens of a head's block lie between.
    const head = sequence(
      count.set(i32.const(width / 4)),
      repeat(count, four),
      advance([block], (blockTokens - 1) * width * 2),
    );
    return sequence(
      constants.load(),
      block.set(i32.add(block.get, i32.mul(slot.get, i32.const(width * 2)))),
      heads.set(i32.const(keyHeads)),
      repeat(heads, head),
    );
  });
}
