import { expect, test } from "vitest";
import { createFakeMachine, type FakeMachine } from "../../test/fake-machine.ts";
import { parseNvidia, parseVulkan, probeGpus } from "./gpu.ts";

const mebibyte = 1024 ** 2;
const summary = `
Devices:
========
GPU0:
	apiVersion         = 1.3.277
	deviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
	deviceName         = NVIDIA GeForce RTX 4090
	driverInfo         = 550.54.14
GPU1:
	deviceType         = PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
	deviceName         = AMD Radeon Graphics (RADV RAPHAEL)
	driverInfo         = Mesa 24.0.5
GPU2:
	deviceType         = PHYSICAL_DEVICE_TYPE_CPU
	deviceName         = llvmpipe (LLVM 17.0.6, 256 bits)
`;
const linux = { platform: "linux", architecture: "x64" } as const;

test("nvidia-smi tells name, memory and driver of every card", () => {
  const text = "NVIDIA GeForce RTX 4090, 24564, 23000, 550.54.14\nNVIDIA T4, 15360, 100, 550.54.14\n";
  expect(parseNvidia(text)).toEqual([
    {
      api: "cuda",
      name: "NVIDIA GeForce RTX 4090",
      totalBytes: 24_564 * mebibyte,
      freeBytes: 23_000 * mebibyte,
      driver: "550.54.14",
      source: "nvidia-smi",
    },
    expect.objectContaining({ name: "NVIDIA T4", freeBytes: 100 * mebibyte }),
  ]);
});

test("a card that does not tell its memory is listed without", () => {
  expect(parseNvidia("NVIDIA GB10, [N/A], [N/A], 580.95.05\n")).toEqual([
    { api: "cuda", name: "NVIDIA GB10", driver: "580.95.05", source: "nvidia-smi" },
  ]);
  expect(parseNvidia("No devices were found\n")).toEqual([]);
});

test("a CPU that pretends to be a Vulkan device is none", () => {
  expect(parseVulkan(summary).map(({ name, driver }) => `${name}, ${driver ?? ""}`)).toEqual([
    "NVIDIA GeForce RTX 4090, 550.54.14",
    "AMD Radeon Graphics (RADV RAPHAEL), Mesa 24.0.5",
  ]);
});

test("a card that CUDA and Vulkan reach is listed once", async () => {
  const tools = { "nvidia-smi": "NVIDIA GeForce RTX 4090, 24564, 23000, 550.54.14\n", vulkaninfo: summary };
  const gpus = await probeGpus(createFakeMachine({ tools }), linux);
  expect(gpus.map(({ api, name }) => `${api} ${name}`)).toEqual([
    "cuda NVIDIA GeForce RTX 4090",
    "vulkan AMD Radeon Graphics (RADV RAPHAEL)",
  ]);
});

test("the Linux subsystem of Windows keeps nvidia-smi elsewhere", async () => {
  const tools = { "/usr/lib/wsl/lib/nvidia-smi": "NVIDIA T4, 15360, 100, 550.54.14\n" };
  expect(await probeGpus(createFakeMachine({ tools }), linux)).toMatchObject([{ name: "NVIDIA T4" }]);
});

test("without tools the render nodes are a hint, with memory where the driver tells", async () => {
  const files = {
    "/dev/dri/card0": "",
    "/dev/dri/renderD128": "",
    "/sys/class/drm/renderD128/device/vendor": "0x1002\n",
    "/sys/class/drm/renderD128/device/mem_info_vram_total": "8589934592\n",
    "/sys/class/drm/renderD128/device/mem_info_vram_used": "589934592\n",
    "/dev/dri/renderD129": "",
    "/sys/class/drm/renderD129/device/vendor": "0x8086\n",
    "/dev/dri/renderD130": "",
    "/sys/class/drm/renderD130/device/vendor": "0x1af4\n",
  };
  expect(await probeGpus(createFakeMachine({ files }), linux)).toEqual([
    { api: "vulkan", name: "AMD GPU (renderD128)", totalBytes: 8_589_934_592, freeBytes: 8e9, source: "/dev/dri" },
    { api: "vulkan", name: "Intel GPU (renderD129)", source: "/dev/dri" },
  ]);
});

test("Apple silicon has Metal, an Intel Mac is left to the CPU", async () => {
  const look = createFakeMachine({});
  const apple = { platform: "darwin", architecture: "arm64", cpuModel: "Apple M3" } as const;
  expect(await probeGpus(look, apple)).toEqual([{ api: "metal", name: "Apple M3", source: "macos" }]);
  expect(await probeGpus(look, { ...apple, architecture: "x64" })).toEqual([]);
  expect(look.ran).toEqual([]);
});

test.for<[string, FakeMachine]>([
  ["no tool", {}],
  ["a tool that prints nonsense", { tools: { "nvidia-smi": "\u0000\n,,,\n", vulkaninfo: "GPU0:\n" } }],
  ["a render node of nobody", { files: { "/dev/dri/renderD128": "" } }],
])("%s means no GPU and no error", async ([, fake]) => {
  expect(await probeGpus(createFakeMachine(fake), linux)).toEqual([]);
  expect(await probeGpus(createFakeMachine(fake), { platform: "win32", architecture: "x64" })).toEqual([]);
});
