/** Rows into the cache as codes of 8 bits, group by group: `q8_0` of `cache/layout.ts`. */
import { groupBytes, groupWidth, groupsOf, pairedTokens, scalesAt } from "../../cache/layout.ts";
import type { Code, Local } from "./code.ts";
import { sequence } from "./code.ts";
import { halfScale, toHalf } from "./half.ts";
import { f32, f32x4, i16x8, i32, i32x4, i8x16, v128 } from "./instructions.ts";
import { acrossLanes, advance, at, repeat } from "./lanes.ts";
import type { StoreParts } from "./store.ts";

interface HeadsShape {
  readonly keyHeads: number;
  readonly width: number;
}

export function keyCodes(parts: StoreParts, shape: HeadsShape): Code {
  const { block } = parts;
  const token = parts.scope.local("i32");
  const toToken = token.set(i32.add(block.get, i32.shl(parts.slot.get, i32.const(1))));
  return forGroups(parts, shape, (width) => {
    const { code, codes, largest } = codeGroup(parts, width);
    return sequence(
      toToken,
      code,
      v128.store16lane(token.get, largest.get, 0, scalesAt(width)),
      ...Array.from({ length: width / 2 }, (_, pair) =>
        v128.store16lane(token.get, at(codes, pair >> 3).get, pair & 7, pair * 64),
      ),
    );
  });
}

/** Byte by byte: another worker may store the other token of the pair at the same time. */
export function valueCodes(parts: StoreParts, shape: HeadsShape): Code {
  const { block, slot } = parts;
  const token = parts.scope.local("i32");
  const pairOf = (width: number): Code =>
    i32.add(
      i32.mul(i32.remU(slot.get, i32.const(pairedTokens)), i32.const(width * 2)),
      i32.divU(slot.get, i32.const(pairedTokens)),
    );
  return forGroups(parts, shape, (width) => {
    const { code, codes, largest } = codeGroup(parts, width);
    return sequence(
      code,
      v128.store16lane(i32.add(block.get, i32.shl(slot.get, i32.const(1))), largest.get, 0, scalesAt(width)),
      token.set(i32.add(block.get, pairOf(width))),
      ...Array.from({ length: width }, (_, dimension) =>
        v128.store8lane(token.get, at(codes, dimension >> 4).get, dimension & 15, dimension * 2),
      ),
    );
  });
}

/** Runs the body for each group of every head, while the variables move on. */
function forGroups({ scope, source, block }: StoreParts, shape: HeadsShape, body: (width: number) => Code): Code {
  const heads = scope.local("i32");
  const count = scope.local("i32");
  const { whole, rest } = groupsOf(shape.width);
  const group = (width: number): Code =>
    sequence(body(width), advance([source], width * 4), advance([block], groupBytes(width)));
  const head = sequence(
    ...(whole > 0 ? [count.set(i32.const(whole)), repeat(count, group(groupWidth))] : []),
    ...(rest > 0 ? [group(rest)] : []),
  );
  return sequence(heads.set(i32.const(shape.keyHeads)), repeat(heads, head));
}

interface Group {
  readonly code: Code;
  /** 16 codes each. */
  readonly codes: readonly Local[];
  /** The largest magnitude as f16, in the lower half of a lane. */
  readonly largest: Local;
}

/**
 * Codes are rounded by the largest magnitude as it is kept, so that its own rounding costs nothing. What is not finite
 * becomes some code.
 */
function codeGroup({ scope, constants, source }: StoreParts, width: number): Group {
  const numbers = scope.locals("v128", width / 4);
  const codes = scope.locals("v128", Math.ceil(width / 16));
  const [most, largest, inverse] = scope.locals("v128", 3) as [Local, Local, Local];
  const rounded = (index: number): Code => {
    const number = numbers[index];
    return number ? i32x4.truncSat(f32x4.nearest(f32x4.mul(number.get, inverse.get))) : v128.const32(0);
  };
  const four = (index: number): Code => i16x8.narrow32s(rounded(index), rounded(index + 1));
  // The shift makes a float32 of the f16, 2^112 times too small.
  const kept = i32x4.shl(largest.get, i32.const(13));
  const code = sequence(
    ...numbers.map((number, index) => number.set(v128.load(source.get, index * 16))),
    most.set(numbers.map((number) => f32x4.abs(number.get)).reduce((a, b) => f32x4.max(a, b))),
    most.set(acrossLanes(most, f32x4.max)),
    largest.set(toHalf({ scope, constants }, most.get)),
    inverse.set(f32x4.div(f32x4.splat(f32.const(127 / halfScale)), kept)),
    ...codes.map((vector, index) => vector.set(i8x16.narrow16s(four(index * 4), four(index * 4 + 2)))),
  );
  return { code, codes, largest };
}
