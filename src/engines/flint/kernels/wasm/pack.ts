/**
 * Kernels that bring rows of a file into a packed layout (`weights/layout.ts`), eight rows at a time. They give the bytes
 * that `weights/pack.ts` gives, but that a scale which is no number keeps its bits.
 */
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import { rowGroup } from "../../weights/layout.ts";
import type { Code, FunctionCode, Local } from "./code.ts";
import { func, loopWhile, sequence } from "./code.ts";
import { constantsOf } from "./constants.ts";
import { i32 } from "./instructions.ts";
import { classicFormats } from "./pack-classic.ts";
import { floatFormats } from "./pack-float.ts";
import type { PackFormat } from "./pack-format.ts";
import { gridFormats } from "./pack-grid.ts";
import { superFormats } from "./pack-super.ts";
import { ternaryFormats } from "./pack-ternary.ts";

const formats: ReadonlyMap<GgmlTypeName, PackFormat> = new Map([
  ...floatFormats,
  ...classicFormats,
  ...superFormats,
  ...gridFormats,
  ...ternaryFormats,
]);

export function packName(type: GgmlTypeName): string {
  return `pack-${type}`;
}

/** Whether there is a kernel for rows of `k` weights. */
export function canPack(type: GgmlTypeName, k: number): boolean {
  const format = formats.get(type);
  return format !== undefined && k % format.weights === 0;
}

/** What the kernel of a type looks up, to be written to memory. */
export function packTable(type: GgmlTypeName): Uint8Array {
  return formats.get(type)?.table?.() ?? new Uint8Array();
}

/** (source, target, k, rowGroups, table): whole groups of rows, one after the other; undefined where there is no kernel. */
export function packKernel(type: GgmlTypeName): FunctionCode | undefined {
  const format = formats.get(type);
  return format && writeKernel(type, format);
}

function writeKernel(type: GgmlTypeName, format: PackFormat): FunctionCode {
  const { blockBytes, blockSize } = ggmlType(type);
  const sourceBytes = (format.weights / blockSize) * blockBytes;
  return func(packName(type), (scope) => {
    const [source, target, k, groups, table] = [0, 1, 2, 3, 4].map(() => scope.param("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const rows = scope.locals("i32", rowGroup);
    const left = scope.local("i32");
    const constants = constantsOf(scope);
    const step = format.write({ scope, constants, rows, target, table });
    const next = (local: Local, bytes: number): Code => local.set(i32.add(local.get, i32.const(bytes)));
    const steps = i32.divU(k.get, i32.const(format.weights));
    const before = [source, ...rows];
    const group = sequence(
      ...rows.map((row, index) =>
        row.set(
          i32.add((before[index] ?? source).get, index === 0 ? i32.const(0) : i32.mul(steps, i32.const(sourceBytes))),
        ),
      ),
      left.set(steps),
      loopWhile(
        sequence(step, ...rows.map((row) => next(row, sourceBytes)), next(target, format.targetBytes)),
        left.tee(i32.sub(left.get, i32.const(1))),
      ),
      // Where the last row ends the next group begins.
      source.set(rows.at(-1)?.get ?? []),
    );
    return sequence(constants.load(), loopWhile(group, groups.tee(i32.sub(groups.get, i32.const(1)))));
  });
}
