/** WebGPU in Node, by the npm package `webgpu`, and whether it computes what the CPU does. */
import type { Tensor } from "../../spec/media.ts";
import type { TfliteSession, Tensors } from "./session.ts";
import { toFloats } from "./values.ts";

interface WebGpuModule {
  create: (options: readonly string[]) => { requestAdapter(): Promise<unknown> };
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Gives this process what a browser has. Returns why there is none, as one clause. */
export async function provideWebGpu(url: string | undefined): Promise<string | undefined> {
  if (url === undefined) return "the pack with WebGPU is not installed";
  try {
    const { create, globals } = (await import(url)) as WebGpuModule;
    const gpu = create([]);
    if (!(await gpu.requestAdapter())) return "there is no GPU with a driver that WebGPU can use";
    Object.assign(globalThis, globals);
    Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0]?.replace(/\.$/, "") : String(error);
  }
}

/** Largest error that is taken for rounding: of the root mean square of an output, and of one that is nearly zero. */
const relative = 0.02;
const absolute = 1e-4;

/** Why the outputs of one run on the GPU are not those of the CPU, as one clause; undefined: they are. */
export async function disagreement(gpu: TfliteSession, cpu: TfliteSession): Promise<string | undefined> {
  const inputs = probe(cpu);
  const [found, expected] = [await gpu.run(inputs), await cpu.run(inputs)];
  for (const { name, quantization } of cpu.signature.outputs) {
    const [one, other] = [found[name], expected[name]];
    if (!one || !other || one.data.length !== other.data.length) return `its output ${name} has another size there`;
    const [a, b] = [toFloats(one, quantization).data, toFloats(other, quantization).data];
    const [error, size] = [rms(a.map((value, index) => value - (b[index] ?? 0))), rms(b)];
    // Written so that what is no number is wrong.
    if (error <= relative * size + absolute) continue;
    return `its output ${name} is off by ${error.toPrecision(2)} there, where the numbers are about ${size.toPrecision(2)}`;
  }
  return undefined;
}

function rms(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
}

/** The same numbers each time, as varied as a picture. */
function probe({ signature }: TfliteSession): Tensors {
  return Object.fromEntries(
    signature.inputs.map(({ name, type, shape }) => [
      name,
      probeTensor(
        type,
        shape.map((size) => Math.max(1, Number(size))),
      ),
    ]),
  );
}

function probeTensor(type: Tensor["type"], shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const pixel = (_: unknown, index: number): number => (index * 37 + (index >> 4) * 11) % 256;
  if (type === "float32")
    return { type, shape, data: Float32Array.from({ length: count }, (_, index) => pixel(_, index) / 255) };
  if (type === "int8")
    return { type, shape, data: Int8Array.from({ length: count }, (_, index) => pixel(_, index) - 128) };
  if (type === "int32") return { type, shape, data: Int32Array.from({ length: count }, pixel) };
  return { type: "uint8", shape, data: Uint8Array.from({ length: count }, pixel) };
}
