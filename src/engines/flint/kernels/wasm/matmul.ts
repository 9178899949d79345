/**
 * Matrix × few vectors over a coded layout: y[t][n] = Σ_k w[n][k] x[t][k] for `tokens` rows of quantized activations.
 * `streams` row groups are read side by side. Codes of 0 to 127 times int8 activations: two neighbouring products are
 * added exactly in 16 bits (i16x8.relaxed_dot_i8x16_i7x16_s), as many of them as cannot overflow are summed there, then
 * in 32 bits; a block's sum is scaled in float32.
 */
import type { CodedLayout } from "../../weights/layout.ts";
import {
  activationBytes,
  activationRecord,
  blockWidth,
  layoutKey,
  recordBytes,
  rowGroup,
} from "../../weights/layout.ts";
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import type { ConstantName } from "./constants.ts";
import { constant } from "./constants.ts";
import { f32x4, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import { blockCodes, type Step } from "./unpack.ts";

export interface MatmulShape {
  readonly layout: CodedLayout;
  readonly k: number;
  /** Rows of activations, 1 to 4. */
  readonly tokens: number;
  /** Row groups at once, 1 to 4. */
  readonly streams: number;
}

export function matmulName({ layout, k, tokens, streams }: MatmulShape): string {
  return `matmul-${layoutKey(layout)}-k${k}-t${tokens}-s${streams}`;
}

const halves = [0, 1] as const;

/**
 * (w, x, y, yStride, count): address of the first row group, of the first quantized row, of y[0][n], bytes between rows
 * of y, and how many times `streams` row groups there are.
 */
export function matmul(shape: MatmulShape): FunctionCode {
  return func(matmulName(shape), (scope) => new Emitter(shape, scope).body());
}

class Emitter {
  readonly #shape: MatmulShape;
  readonly #scope: Scope;
  readonly #w: Local;
  readonly #x: Local;
  readonly #y: Local;
  readonly #yStride: Local;
  readonly #count: Local;
  readonly #codes: Local;
  readonly #record: Local;
  readonly #block: Local;
  readonly #weights: Local;
  readonly #constants: ReadonlyMap<ConstantName, Local>;
  /** [token][stream][half] */
  readonly #sums: Local[][][];

  constructor(shape: MatmulShape, scope: Scope) {
    this.#shape = shape;
    this.#scope = scope;
    this.#w = scope.param("i32");
    this.#x = scope.param("i32");
    this.#y = scope.param("i32");
    this.#yStride = scope.param("i32");
    this.#count = scope.param("i32");
    this.#codes = scope.local("i32");
    this.#record = scope.local("i32");
    this.#block = scope.local("i32");
    this.#weights = scope.local("i32");
    const names = [
      "nibble",
      "ones",
      "sixteens",
      "seventeens",
      "halfSign",
      "halfScale",
      "halfScale8",
      "crumb",
      "low3",
      "bit3",
    ] as const;
    this.#constants = new Map(names.map((name) => [name, scope.local("v128")]));
    this.#sums = this.#perToken(() => this.#perStream(() => scope.locals("v128", 2)));
  }

  body(): Code {
    const { k, streams } = this.#shape;
    const groupBytes = (k / blockWidth) * recordBytes(this.#shape.layout);
    const constants = [...this.#constants].flatMap(([name, local]) => local.set(constant(name)));
    const block = sequence(
      this.#oneBlock(groupBytes),
      this.#weights.set(i32.add(this.#weights.get, i32.const(recordBytes(this.#shape.layout)))),
      this.#codes.set(i32.add(this.#codes.get, i32.const(blockWidth))),
      this.#record.set(i32.add(this.#record.get, i32.const(activationRecord.bytes))),
    );
    const rows = sequence(
      this.#weights.set(this.#w.get),
      this.#codes.set(this.#x.get),
      this.#record.set(i32.add(this.#x.get, i32.const(k))),
      this.#block.set(i32.const(k / blockWidth)),
      ...this.#sums.flat(2).map((sum) => sum.set(v128.const32(0))),
      loopWhile(block, this.#block.tee(i32.sub(this.#block.get, i32.const(1)))),
      this.#store(),
      this.#w.set(i32.add(this.#w.get, i32.const(groupBytes * streams))),
      this.#y.set(i32.add(this.#y.get, i32.const(streams * rowGroup * 4))),
    );
    return sequence(constants, loopWhile(rows, this.#count.tee(i32.sub(this.#count.get, i32.const(1)))));
  }

  #perToken<T>(make: (token: number) => T): T[] {
    return Array.from({ length: this.#shape.tokens }, (_, token) => make(token));
  }

  #perStream<T>(make: (stream: number) => T): T[] {
    return Array.from({ length: this.#shape.streams }, (_, stream) => make(stream));
  }

  #constant(name: ConstantName): Code {
    const local = this.#constants.get(name);
    if (!local) throw new Error(`no constant ${name}`);
    return local.get;
  }

  /** Adds the products of one block to the sums. */
  #oneBlock(groupBytes: number): Code {
    const { layout, tokens, streams } = this.#shape;
    const plan = blockCodes(layout);
    const parts: Code[] = [];
    for (const section of plan.sections) {
      const dots = this.#perToken(() => this.#perStream(() => new Dot(this.#scope, section.planes.length)));
      for (const step of section.steps) {
        for (let stream = 0; stream < streams; stream++) {
          parts.push(this.#step(step, stream * groupBytes, (token) => at(at(dots, token), stream), section.start));
        }
      }
      const scales = this.#perStream((stream) => this.#scales(stream * groupBytes + section.scaleAt));
      const mins =
        section.minAt === undefined
          ? undefined
          : this.#perStream((s) => this.#scales(s * groupBytes + (section.minAt ?? 0)));
      for (const s of [scales, ...(mins ? [mins] : [])]) parts.push(...s.map(({ load }) => load));
      for (let token = 0; token < tokens; token++) {
        for (let stream = 0; stream < streams; stream++) {
          parts.push(
            this.#scaled({
              token,
              stream,
              total: at(at(dots, token), stream).total(section.planes, (name) => this.#constant(name)),
              scale: at(scales, stream).vectors,
              min: mins && at(mins, stream).vectors,
              section,
            }),
          );
        }
      }
    }
    return sequence(...parts);
  }

  /** One vector of codes times the activations that belong to it, for every token. */
  #step(step: Step, base: number, dot: (token: number) => Dot, start: boolean): Code {
    const { tokens } = this.#shape;
    const vectors = step.planes.map(() => this.#scope.locals("v128", 2));
    const parts: Code[] = [];
    const sources = step.sources.map((source) => {
      const raw = this.#scope.locals("v128", 2);
      for (const h of halves) parts.push(at(raw, h).set(v128.load(this.#weights.get, base + source + h * 16)));
      return raw;
    });
    step.planes.forEach((plane, index) => {
      for (const h of halves) {
        const raw = sources.map((source) => at(source, h).get);
        parts.push(at(at(vectors, index), h).set(plane.extract(raw, (name) => this.#constant(name))));
      }
    });
    for (let token = 0; token < tokens; token++) {
      step.planes.forEach((plane, index) => {
        const activations = v128.load32splat(this.#codes.get, token * this.#xBytes() + plane.k);
        const products = halves.map((h) => i16x8.relaxedDot(activations, at(at(vectors, index), h).get));
        const initial =
          start && plane.startsWithSum ? v128.load32splat(this.#record.get, this.#field(token, "start")) : undefined;
        parts.push(
          dot(token).add({
            plane: plane.accumulator,
            products,
            limit: plane.limit,
            initial,
            ones: this.#constant("ones"),
          }),
        );
      });
    }
    return sequence(...parts);
  }

  #xBytes(): number {
    return activationBytes(this.#shape.k);
  }

  #field(token: number, name: Exclude<keyof typeof activationRecord, "bytes">): number {
    return token * this.#xBytes() + activationRecord[name];
  }

  /** f16 scales of 8 rows as float32. */
  #scales(offset: number): { readonly load: Code; readonly vectors: readonly Local[] } {
    const vectors = this.#scope.locals("v128", 2);
    const load = halves.flatMap((h) =>
      at(vectors, h).set(
        f32x4.mul(
          v128.and(
            i32x4.shl(v128.load16x4s(this.#weights.get, offset + h * 8), i32.const(13)),
            this.#constant("halfSign"),
          ),
          this.#constant(this.#shape.layout.planes ? "halfScale8" : "halfScale"),
        ),
      ),
    );
    return { load, vectors };
  }

  #scaled({ token, stream, total, scale, min, section }: Scaled): Code {
    const sums = at(at(this.#sums, token), stream);
    const xScale = v128.load32splat(this.#record.get, this.#field(token, "scale"));
    const xSum = v128.load32splat(this.#record.get, this.#field(token, section.sum));
    return sequence(
      total.code,
      ...halves.map((h) => {
        const sum = at(sums, h);
        const product = f32x4.convert(at(total.vectors, h).get);
        const added = sum.set(f32x4.relaxedMadd(product, f32x4.mul(at(scale, h).get, xScale), sum.get));
        const parts = [added];
        if (section.offset !== 0) {
          const shift = f32x4.mul(at(scale, h).get, v128.constF32(section.offset));
          parts.push(sum.set(f32x4.relaxedNmadd(shift, xSum, sum.get)));
        }
        if (min) parts.push(sum.set(f32x4.relaxedNmadd(at(min, h).get, xSum, sum.get)));
        return sequence(...parts);
      }),
    );
  }

  #store(): Code {
    const row = this.#scope.local("i32");
    const parts: Code[] = [row.set(this.#y.get)];
    this.#sums.forEach((streams, token) => {
      if (token > 0) parts.push(row.set(i32.add(row.get, this.#yStride.get)));
      streams.forEach((sums, stream) => {
        for (const h of halves) parts.push(v128.store(row.get, at(sums, h).get, stream * rowGroup * 4 + h * 16));
      });
    });
    return sequence(...parts);
  }
}

interface Scaled {
  readonly token: number;
  readonly stream: number;
  readonly total: { readonly code: Code; readonly vectors: readonly Local[] };
  readonly scale: readonly Local[];
  readonly min: readonly Local[] | undefined;
  readonly section: { readonly offset: number; readonly sum: "sum" | "firstHalf" | "lastHalf" };
}

interface Products {
  readonly plane: number;
  readonly products: readonly Code[];
  /** Products that 16 bits can hold. */
  readonly limit: number;
  readonly initial: Code | undefined;
  readonly ones: Code;
}

/** The running sum of one token and row group within a section: 16 bits wide for each plane, widened when they are full. */
class Dot {
  readonly #narrow: Local[][];
  readonly #wide: Local[];
  #used: number[];
  #widened = false;

  constructor(scope: Scope, planes: number) {
    this.#narrow = Array.from({ length: planes }, () => scope.locals("v128", 2));
    this.#wide = scope.locals("v128", 2);
    this.#used = Array.from({ length: planes }, () => 0);
  }

  add({ plane, products, limit, initial, ones }: Products): Code {
    const narrow = at(this.#narrow, plane);
    const parts: Code[] = [];
    const used = at(this.#used, plane);
    if (used === limit) {
      parts.push(this.#widen(plane, ones));
      this.#used[plane] = 0;
    }
    const fresh = this.#used[plane] === 0;
    for (const h of halves) {
      const sum = at(narrow, h);
      const product = at(products, h);
      if (!fresh) parts.push(sum.set(i16x8.add(sum.get, product)));
      else parts.push(sum.set(initial && used === 0 ? i16x8.add(initial, product) : product));
    }
    this.#used[plane] = at(this.#used, plane) + 1;
    return sequence(...parts);
  }

  #widen(plane: number, factor: Code): Code {
    const first = !this.#widened;
    this.#widened = true;
    return sequence(
      ...halves.map((h) => {
        const products = i32x4.dot16(at(at(this.#narrow, plane), h).get, factor);
        const wide = at(this.#wide, h);
        return wide.set(first ? products : i32x4.add(wide.get, products));
      }),
    );
  }

  /** The whole sum in 32 bits. */
  total(
    planes: readonly { readonly factor: ConstantName }[],
    constantOf: (name: ConstantName) => Code,
  ): { code: Code; vectors: readonly Local[] } {
    const code = sequence(...planes.map(({ factor }, plane) => this.#widen(plane, constantOf(factor))));
    return { code, vectors: this.#wide };
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index} of ${items.length}`);
  return item;
}
