/** Keys and values of a row into their block of the paged cache; how they stand there says `cache/layout.ts`. */
import type { CacheType } from "../../cache/layout.ts";
import { blockTokens } from "../../cache/layout.ts";
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, sequence } from "./code.ts";
import type { Constants } from "./constants.ts";
import { constantsOf } from "./constants.ts";
import { toHalf } from "./half.ts";
import { i16x8, i32, v128 } from "./instructions.ts";
import { advance, repeat } from "./lanes.ts";
import type { RotateShape } from "./rope.ts";
import { rotateName, rotateRow } from "./rope.ts";
import { keyCodes, valueCodes } from "./store-codes.ts";

/** Bytes from one dimension of a key to the next, in f16. */
const keyStep = blockTokens * 2;

export interface StoreKeysShape extends RotateShape {
  readonly type: CacheType;
}

export interface StoreValuesShape {
  readonly keyHeads: number;
  /** Of a head; a multiple of 4. */
  readonly width: number;
  readonly type: CacheType;
}

/** Variables that the stores change. */
export interface StoreParts {
  readonly scope: Scope;
  readonly constants: Constants;
  /** The row. */
  readonly source: Local;
  /** The block's keys, or values, of the layer. */
  readonly block: Local;
  readonly slot: Local;
}

export function storeKeysName(shape: StoreKeysShape): string {
  return `store-keys-${shape.type}-${rotateName(shape)}`;
}

/**
 * (k, table, block, slot, scratch): rotates the row k (see `rotate`; `heads` are the key heads) and stores it as token
 * `slot`, 0 to 31, of the block whose keys of the layer start at address `block`. Scratch: as many bytes as the row.
 */
export function storeKeys(shape: StoreKeysShape): FunctionCode {
  return func(storeKeysName(shape), (scope) => {
    const [k, table, block, slot, scratch] = Array.from({ length: 5 }, () => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const constants = constantsOf(scope);
    const { heads, headWidth, type, rope } = shape;
    const rotated = rope ? rotateRow({ scope, constants, x: k, table, y: scratch }, shape) : [];
    const parts: StoreParts = { scope, constants, source: rope ? scratch : k, block, slot };
    const stored =
      type === "f16" ? keyHalves(parts, heads * headWidth) : keyCodes(parts, { keyHeads: heads, width: headWidth });
    return sequence(constants.load(), rotated, stored);
  });
}

function keyHalves({ scope, constants, source, block, slot }: StoreParts, width: number): Code {
  const count = scope.local("i32");
  const vector = scope.local("v128");
  const four = sequence(
    vector.set(toHalf({ scope, constants }, v128.load(source.get))),
    ...[0, 1, 2, 3].map((lane) => v128.store16lane(block.get, vector.get, lane * 2, lane * keyStep)),
    advance([source], 16),
    advance([block], 4 * keyStep),
  );
  return sequence(
    block.set(i32.add(block.get, i32.shl(slot.get, i32.const(1)))),
    count.set(i32.const(width / 4)),
    repeat(count, four),
  );
}

export function storeValuesName({ keyHeads, width, type }: StoreValuesShape): string {
  return `store-values-${type}-${keyHeads}x${width}`;
}

/** (v, block, slot): stores the row v as token `slot` of the block whose values of the layer start at `block`. */
export function storeValues(shape: StoreValuesShape): FunctionCode {
  return func(storeValuesName(shape), (scope) => {
    const [source, block, slot] = Array.from({ length: 3 }, () => scope.param("i32")) as [Local, Local, Local];
    const constants = constantsOf(scope);
    const parts: StoreParts = { scope, constants, source, block, slot };
    const stored = shape.type === "f16" ? valueHalves(parts, shape) : valueCodes(parts, shape);
    return sequence(constants.load(), stored);
  });
}

function valueHalves(parts: StoreParts, { keyHeads, width }: StoreValuesShape): Code {
  const { scope, constants, source, block, slot } = parts;
  const heads = scope.local("i32");
  const count = scope.local("i32");
  const vector = scope.local("v128");
  const four = sequence(
    vector.set(toHalf({ scope, constants }, v128.load(source.get))),
    v128.store64lane(block.get, i16x8.narrow32u(vector.get, vector.get), 0),
    advance([source], 16),
    advance([block], 8),
  );
  // The other tokens of a head's block lie between.
  const head = sequence(
    count.set(i32.const(width / 4)),
    repeat(count, four),
    advance([block], (blockTokens - 1) * width * 2),
  );
  return sequence(
    block.set(i32.add(block.get, i32.mul(slot.get, i32.const(width * 2)))),
    heads.set(i32.const(keyHeads)),
    repeat(heads, head),
  );
}
