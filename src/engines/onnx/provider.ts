/** Which execution providers a device stands for, and whether they are here. */
import type { Device } from "../../spec/engine.ts";
import type { ProviderOption, Runtime } from "./runtime.ts";

export type RealDevice = Exclude<Device, "auto">;

export interface Provider {
  readonly device: RealDevice;
  /** What ONNX Runtime calls it, the CPU after it for what it does not know. */
  readonly providers: readonly ProviderOption[];
}

export const cpuProvider: Provider = { device: "cpu", providers: ["cpu"] };

const names: Readonly<Partial<Record<RealDevice, string>>> = {
  cuda: "cuda",
  coreml: "coreml",
  directml: "dml",
  webgpu: "webgpu",
};

/** Makers of neural processors that ONNX Runtime has providers for. */
const neural = ["qnn", "openvino"];

/** The providers of a device, or why there are none: one clause. `auto` is CUDA where its library is, else the CPU. */
export function findProvider(
  device: Device,
  runtime: Runtime,
  platform: NodeJS.Platform = process.platform,
): Provider | string {
  const backends = runtime.listSupportedBackends?.() ?? [];
  const bundled = new Set(backends.filter((backend) => backend.bundled).map(({ name }) => name));
  if (device === "cpu") return cpuProvider;
  if (device === "auto") return bundled.has("cuda") ? { device: "cuda", providers: ["cuda", "cpu"] } : cpuProvider;
  if (device === "npu") return findNeural(bundled, platform);
  const name = names[device];
  if (name === undefined) return `ONNX Runtime has nothing for ${device}`;
  if (!bundled.has(name)) {
    const has = [...bundled].join(", ");
    return `the provider ${name} is not part of this build of ONNX Runtime, which has ${has}`;
  }
  return { device, providers: [name, "cpu"] };
}

function findNeural(bundled: ReadonlySet<string>, platform: NodeJS.Platform): Provider | string {
  if (platform === "darwin" && bundled.has("coreml")) {
    return { device: "npu", providers: [{ name: "coreml", onlyEnableDeviceWithANE: true }, "cpu"] };
  }
  const name = neural.find((one) => bundled.has(one));
  if (name !== undefined) return { device: "npu", providers: [name, "cpu"] };
  return `this build of ONNX Runtime has no provider for a neural processor (it would be one of coreml, ${neural.join(", ")})`;
}
