/**
 * Matrix × few vectors over the super layout: as `matmul`, but scales of groups are small integers. A group's sum of
 * 16-bit products is multiplied with its scale where it is widened to 32 bits anyway, and float32 comes in only once
 * for 256 weights.
 */
import type { SuperLayout } from "../../weights/layout.ts";
import {
  blockWidth,
  layoutKey,
  rowGroup,
  superActivation,
  superActivationBytes,
  superRecord,
  superWidth,
} from "../../weights/layout.ts";
import type { Code, FunctionCode, Local, Scope } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import type { ConstantName } from "./constants.ts";
import { constant } from "./constants.ts";
import { f32x4, i16x8, i32, i32x4, v128 } from "./instructions.ts";
import type { Plane, Step } from "./unpack.ts";
import { plainSteps } from "./unpack.ts";

export interface SuperMatmulShape {
  readonly layout: SuperLayout;
  readonly k: number;
  readonly tokens: number;
  readonly streams: number;
}

export function superMatmulName({ layout, k, tokens, streams }: SuperMatmulShape): string {
  return `matmul-${layoutKey(layout)}-k${k}-t${tokens}-s${streams}`;
}

/** (w, x, y, yStride, count): as `matmul`. */
export function superMatmul(shape: SuperMatmulShape): FunctionCode {
  return func(superMatmulName(shape), (scope) => new SuperEmitter(shape, scope).body());
}

const halves = [0, 1] as const;
const constants = ["nibble", "halfSign", "halfScale", "crumb", "lowHalf"] as const;

class SuperEmitter {
  readonly #shape: SuperMatmulShape;
  readonly #scope: Scope;
  readonly #w: Local;
  readonly #x: Local;
  readonly #y: Local;
  readonly #yStride: Local;
  readonly #count: Local;
  readonly #codes: Local;
  readonly #record: Local;
  readonly #left: Local;
  readonly #weights: Local;
  readonly #constants: ReadonlyMap<ConstantName, Local>;
  /** [token][stream][half]: float32 sums of rows. */
  readonly #sums: Local[][][];
  /** [token][stream][half]: integer sums of a record. */
  readonly #totals: Local[][][];
  /** [token][half]: sums of a run in 16 bits. */
  readonly #narrow: Local[][];
  /** [half]: the scales of two groups, each twice in 32 bits. */
  readonly #first: Local[];
  readonly #second: Local[];

  constructor(shape: SuperMatmulShape, scope: Scope) {
    this.#shape = shape;
    this.#scope = scope;
    this.#w = scope.param("i32");
    this.#x = scope.param("i32");
    this.#y = scope.param("i32");
    this.#yStride = scope.param("i32");
    this.#count = scope.param("i32");
    this.#codes = scope.local("i32");
    this.#record = scope.local("i32");
    this.#left = scope.local("i32");
    this.#weights = scope.local("i32");
    this.#constants = new Map(constants.map((name) => [name, scope.local("v128")]));
    this.#sums = times(shape.tokens, () => times(shape.streams, () => scope.locals("v128", 2)));
    this.#totals = times(shape.tokens, () => times(shape.streams, () => scope.locals("v128", 2)));
    this.#narrow = times(shape.tokens, () => scope.locals("v128", 2));
    this.#first = scope.locals("v128", 2);
    this.#second = scope.locals("v128", 2);
  }

  body(): Code {
    const { k, streams, layout } = this.#shape;
    const { bytes } = superRecord(layout);
    const groupBytes = (k / superWidth) * bytes;
    const record = sequence(
      this.#oneRecord(groupBytes),
      this.#weights.set(i32.add(this.#weights.get, i32.const(bytes))),
      this.#codes.set(i32.add(this.#codes.get, i32.const(superWidth))),
      this.#record.set(i32.add(this.#record.get, i32.const(superActivation.bytes))),
    );
    const rows = sequence(
      this.#weights.set(this.#w.get),
      this.#codes.set(this.#x.get),
      this.#record.set(i32.add(this.#x.get, i32.const(k))),
      this.#left.set(i32.const(k / superWidth)),
      ...this.#sums.flat(2).map((sum) => sum.set(v128.const32(0))),
      loopWhile(record, this.#left.tee(i32.sub(this.#left.get, i32.const(1)))),
      this.#store(),
      this.#w.set(i32.add(this.#w.get, i32.const(groupBytes * streams))),
      this.#y.set(i32.add(this.#y.get, i32.const(streams * rowGroup * 4))),
    );
    return sequence(
      ...[...this.#constants].map(([name, local]) => local.set(constant(name))),
      loopWhile(rows, this.#count.tee(i32.sub(this.#count.get, i32.const(1)))),
    );
  }

  #constant(name: ConstantName): Code {
    return at(this.#constants.get(name)).get;
  }

  /** Block after block, each of all streams: so only the sums need registers for each. */
  #oneRecord(groupBytes: number): Code {
    const { layout, streams } = this.#shape;
    const { codes, blockBytes } = superRecord(layout);
    const parts: Code[] = [];
    const started = new Set<Local>();
    for (let block = 0; block < superWidth / blockWidth; block++) {
      for (let stream = 0; stream < streams; stream++) {
        const base = stream * groupBytes;
        const place = { stream, base: base + codes + block * blockBytes, k: block * blockWidth, started };
        parts.push(...this.#oneBlock(block, base, place));
      }
    }
    for (let stream = 0; stream < streams; stream++) parts.push(this.#finish(stream, stream * groupBytes));
    return sequence(...parts);
  }

  /** Scales come in pairs of groups: those of one block of two groups, or those of two blocks. */
  #oneBlock(block: number, base: number, place: Omit<RunPlace, "scales">): Code[] {
    const { layout } = this.#shape;
    const runs = (half: 0 | 1 | undefined, scales: readonly Local[]): Code[] =>
      runsOf(plainSteps(layout.bits, half)).map((run) => this.#run(run, { ...place, scales }));
    if (layout.group === 16) {
      const load = this.#loadScales(block, base, place);
      return [load, ...runs(0, this.#first), ...runs(1, this.#second)];
    }
    const even = block % 2 === 0;
    // One stream keeps the scales of its second block; of several, they would take too many registers.
    const load = even || this.#shape.streams > 1 ? [this.#loadScales(Math.floor(block / 2), base, place)] : [];
    return [...load, ...runs(undefined, even ? this.#first : this.#second)];
  }

  /** The scales of two groups; where codes have an offset, the sums of the activations times the scales go into the totals. */
  #loadScales(pair: number, base: number, { stream, started }: Pick<RunPlace, "stream" | "started">): Code {
    const { layout, tokens } = this.#shape;
    const { scales } = superRecord(layout);
    const parts: Code[] = [];
    for (const h of halves) {
      const [first, second] = [at(this.#first[h]), at(this.#second[h])];
      const both = this.#scope.local("v128");
      parts.push(
        ...this.#twice(both, base + scales + pair * 16 + h * 8),
        first.set(i16x8.shrS(i16x8.shl(both.get, i32.const(8)), i32.const(8))),
        second.set(i16x8.shrS(both.get, i32.const(8))),
      );
      if (layout.offset === 0) continue;
      const pairs = v128.bitselect(first.get, second.get, this.#constant("lowHalf"));
      for (let token = 0; token < tokens; token++) {
        const total = at(at(at(this.#totals[token])[stream])[h]);
        const product = i32x4.dot16(pairs, this.#activationSums(token, pair));
        const scaled = i32x4.shl(product, i32.const(Math.log2(layout.offset)));
        parts.push(total.set(i32x4.sub(started.has(total) ? total.get : v128.const32(0), scaled)));
        started.add(total);
      }
    }
    return sequence(...parts);
  }

  /** Two bytes of each row, in the lower and in the upper half of 32 bits. */
  #twice(both: Local, offset: number): Code[] {
    return [
      both.set(v128.load16x4u(this.#weights.get, offset)),
      both.set(v128.or(both.get, i32x4.shl(both.get, i32.const(16)))),
    ];
  }

  #activationSums(token: number, pair: number): Code {
    const { group } = this.#shape.layout;
    const sums = group === 16 ? superActivation.sums16 : superActivation.sums32;
    return v128.load32splat(this.#record.get, token * this.#xBytes() + sums + pair * 4);
  }

  /** Some vectors of codes whose products fit into 16 bits, then their sum times the scale. */
  #run(run: Run, { stream, base, k, scales, started }: RunPlace): Code {
    const { tokens } = this.#shape;
    const parts: Code[] = [];
    run.forEach(({ step, planes }, index) => {
      const raw = step.sources.map((source) => {
        const vectors = this.#scope.locals("v128", 2);
        for (const h of halves) parts.push(at(vectors[h]).set(v128.load(this.#weights.get, base + source + h * 16)));
        return vectors;
      });
      planes.forEach((plane, planeIndex) => {
        const codes = this.#scope.locals("v128", 2);
        for (const h of halves) {
          const code = plane.extract(
            raw.map((vectors) => at(vectors[h]).get),
            (name) => this.#constant(name),
          );
          parts.push(at(codes[h]).set(code));
        }
        for (let token = 0; token < tokens; token++) {
          const activations = v128.load32splat(this.#codes.get, token * this.#xBytes() + k + plane.k);
          for (const h of halves) {
            const sum = at(at(this.#narrow[token])[h]);
            const products = i16x8.relaxedDot(activations, at(codes[h]).get);
            parts.push(sum.set(index === 0 && planeIndex === 0 ? products : i16x8.add(sum.get, products)));
          }
        }
      });
    });
    for (let token = 0; token < tokens; token++) {
      for (const h of halves) {
        const total = at(at(at(this.#totals[token])[stream])[h]);
        const product = i32x4.dot16(at(at(this.#narrow[token])[h]).get, at(scales[h]).get);
        parts.push(total.set(started.has(total) ? i32x4.add(total.get, product) : product));
        started.add(total);
      }
    }
    return sequence(...parts);
  }

  /** From the integers of a record to float32. */
  #finish(stream: number, base: number): Code {
    const { layout, tokens } = this.#shape;
    const { d, dmin, mins } = superRecord(layout);
    const parts: Code[] = [];
    const scale = this.#scope.locals("v128", 2);
    const minScale = this.#scope.locals("v128", 2);
    for (const h of halves) {
      parts.push(at(scale[h]).set(this.#half(base + d + h * 8)));
      if (layout.hasMin) parts.push(at(minScale[h]).set(this.#half(base + dmin + h * 8)));
    }
    for (let token = 0; token < tokens; token++) {
      const xScale = v128.load32splat(this.#record.get, token * this.#xBytes() + superActivation.scale);
      for (const h of halves) {
        const sum = at(at(at(this.#sums[token])[stream])[h]);
        const total = at(at(at(this.#totals[token])[stream])[h]);
        parts.push(sum.set(f32x4.relaxedMadd(f32x4.convert(total.get), f32x4.mul(at(scale[h]).get, xScale), sum.get)));
      }
    }
    if (layout.hasMin) parts.push(this.#subtractMins(stream, { minScale, at: base + mins }));
    return sequence(...parts);
  }

  /** The totals are free again: they take the sums of minima times activations. */
  #subtractMins(stream: number, { minScale, at: offset }: MinPlace): Code {
    const { layout, tokens } = this.#shape;
    const parts: Code[] = [];
    const eachToken = (h: number, write: (token: number, total: Local) => Code): void => {
      for (let token = 0; token < tokens; token++) {
        parts.push(write(token, at(at(at(this.#totals[token])[stream])[h])));
      }
    };
    for (let pair = 0; pair < superWidth / layout.group / 2; pair++) {
      const pairs = this.#scope.locals("v128", 2);
      for (const h of halves) {
        const both = this.#scope.local("v128");
        const first = i16x8.shrU(i16x8.shl(both.get, i32.const(8)), i32.const(8));
        const second = i16x8.shrU(both.get, i32.const(8));
        parts.push(...this.#twice(both, offset + pair * 16 + h * 8));
        parts.push(at(pairs[h]).set(v128.bitselect(first, second, this.#constant("lowHalf"))));
      }
      for (const h of halves) {
        eachToken(h, (token, total) => {
          const product = i32x4.dot16(at(pairs[h]).get, this.#activationSums(token, pair));
          return total.set(pair === 0 ? product : i32x4.add(total.get, product));
        });
      }
    }
    for (const h of halves) {
      eachToken(h, (token, total) => {
        const xScale = v128.load32splat(this.#record.get, token * this.#xBytes() + superActivation.scale);
        const sum = at(at(at(this.#sums[token])[stream])[h]);
        const scaled = f32x4.mul(at(minScale[h]).get, xScale);
        return sum.set(f32x4.relaxedNmadd(f32x4.convert(total.get), scaled, sum.get));
      });
    }
    return sequence(...parts);
  }

  #half(offset: number): Code {
    const bits = i32x4.shl(v128.load16x4s(this.#weights.get, offset), i32.const(13));
    return f32x4.mul(v128.and(bits, this.#constant("halfSign")), this.#constant("halfScale"));
  }

  #xBytes(): number {
    return superActivationBytes(this.#shape.k);
  }

  #store(): Code {
    const row = this.#scope.local("i32");
    const parts: Code[] = [row.set(this.#y.get)];
    this.#sums.forEach((streams, token) => {
      if (token > 0) parts.push(row.set(i32.add(row.get, this.#yStride.get)));
      streams.forEach((sums, stream) => {
        for (const h of halves) parts.push(v128.store(row.get, at(sums[h]).get, stream * rowGroup * 4 + h * 16));
      });
    });
    return sequence(...parts);
  }
}

interface RunPlace {
  readonly stream: number;
  /** Where the block's codes begin. */
  readonly base: number;
  readonly k: number;
  readonly scales: readonly Local[];
  readonly started: Set<Local>;
}

interface MinPlace {
  readonly minScale: readonly Local[];
  readonly at: number;
}

type Run = readonly { readonly step: Step; readonly planes: readonly Plane[] }[];

/** Divides the vectors of a section into runs whose products fit into 16 bits. */
function runsOf(steps: readonly Step[]): Run[] {
  const runs: { step: Step; planes: Plane[] }[][] = [];
  let used = 0;
  for (const step of steps) {
    for (const plane of step.planes) {
      let run = runs.at(-1);
      if (!run || used === plane.limit) {
        run = [];
        runs.push(run);
        used = 0;
      }
      const last = run.at(-1);
      if (last?.step === step) last.planes.push(plane);
      else run.push({ step, planes: [plane] });
      used++;
    }
  }
  return runs;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function at<T>(item: T | undefined): T {
  if (item === undefined) throw new RangeError("no such item");
  return item;
}
