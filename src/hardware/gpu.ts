import type { Gpu } from "./contract.ts";
import type { Looker } from "./read.ts";

export interface GpuQuestion {
  readonly platform: NodeJS.Platform;
  readonly architecture: string;
  readonly cpuModel?: string | undefined;
}

const mebibyte = 1024 ** 2;

/** GPUs that an engine could use. A card that CUDA and Vulkan both reach is listed once, for CUDA. */
export async function probeGpus(
  look: Looker,
  { platform, architecture, cpuModel }: GpuQuestion,
): Promise<readonly Gpu[]> {
  if (platform === "darwin") {
    if (architecture !== "arm64") return [];
    return [{ api: "metal", name: cpuModel ?? "Apple GPU", source: "macos" }];
  }
  const [nvidia, vulkan] = await Promise.all([nvidiaGpus(look, platform), vulkanGpus(look)]);
  if (vulkan.length > 0)
    return [...nvidia, ...vulkan.filter(({ name }) => !nvidia.some((gpu) => name.includes(gpu.name)))];
  const hints = platform === "linux" ? renderNodes(look) : [];
  return [...nvidia, ...(nvidia.length > 0 ? hints.filter(({ name }) => !name.startsWith("NVIDIA")) : hints)];
}

const nvidiaQuery = ["--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"];

async function nvidiaGpus(look: Looker, platform: NodeJS.Platform): Promise<Gpu[]> {
  // Windows' Linux subsystem keeps the tool outside of the path.
  const paths = platform === "linux" ? ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"] : ["nvidia-smi"];
  for (const path of paths) {
    const output = await look.run(path, nvidiaQuery);
    if (output !== undefined) return parseNvidia(output);
  }
  return [];
}

/** Lines of `name, total MiB, free MiB, driver`. Cards with unified memory report `[N/A]`. */
export function parseNvidia(text: string): Gpu[] {
  return text.split("\n").flatMap((line): Gpu[] => {
    const [name, total, free, driver] = line.split(",").map((field) => field.trim());
    if (!name || driver === undefined) return [];
    return [
      {
        api: "cuda",
        name,
        ...bytes("totalBytes", total),
        ...bytes("freeBytes", free),
        ...(driver.startsWith("[") ? {} : { driver }),
        source: "nvidia-smi",
      },
    ];
  });
}

function bytes(
  key: "totalBytes" | "freeBytes",
  mebibytes: string | undefined,
): { totalBytes?: number; freeBytes?: number } {
  return mebibytes !== undefined && /^\d+$/.test(mebibytes) ? { [key]: Number(mebibytes) * mebibyte } : {};
}

async function vulkanGpus(look: Looker): Promise<Gpu[]> {
  return parseVulkan((await look.run("vulkaninfo", ["--summary"])) ?? "");
}

/** The devices of `vulkaninfo --summary`, without those that are a CPU in disguise. */
export function parseVulkan(text: string): Gpu[] {
  return text
    .split(/^GPU\d+:/m)
    .slice(1)
    .flatMap((block): Gpu[] => {
      const field = (name: string): string | undefined =>
        new RegExp(`^\\s*${name}\\s*=\\s*(.+)$`, "m").exec(block)?.[1]?.trim();
      const name = field("deviceName");
      if (name === undefined || field("deviceType")?.endsWith("_CPU")) return [];
      const driver = field("driverInfo");
      return [{ api: "vulkan", name, ...(driver === undefined ? {} : { driver }), source: "vulkaninfo" }];
    });
}

/** PCI vendors of graphics cards. */
const vendors: Readonly<Record<string, string>> = { "0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel" };

/** Without vulkaninfo a render node says at least that there is a card, and AMD's driver how much memory it has. */
function renderNodes(look: Looker): Gpu[] {
  return look
    .entries("/dev/dri")
    .filter((name) => name.startsWith("renderD"))
    .flatMap((node): Gpu[] => {
      const device = `/sys/class/drm/${node}/device`;
      const vendor = look.read(`${device}/vendor`)?.trim();
      if (vendor === undefined || vendors[vendor] === undefined) return [];
      const total = Number(look.read(`${device}/mem_info_vram_total`) ?? NaN);
      const used = Number(look.read(`${device}/mem_info_vram_used`) ?? NaN);
      return [
        {
          api: "vulkan",
          name: `${vendors[vendor]} GPU (${node})`,
          ...(total > 0 ? { totalBytes: total } : {}),
          ...(total > 0 && used >= 0 ? { freeBytes: total - used } : {}),
          source: "/dev/dri",
        },
      ];
    });
}
