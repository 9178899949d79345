import { cpus } from "node:os";
import { expect, test } from "vitest";
import { linuxCpu, parseSysctl, probeCpu } from "./cpu.ts";
import { createFakeMachine } from "../../test/fake-machine.ts";
import { machine } from "./read.ts";

function intelThread(processor: number, socket: number, core: number): string {
  return [
    `processor\t: ${processor}`,
    "model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    `physical id\t: ${socket}`,
    `core id\t\t: ${core}`,
    "flags\t\t: fpu vme sse4_2 avx2 avx512f avx512_vnni amx_int8 hypervisor",
  ].join("\n");
}

test("hyper-threads are not cores, and equal core numbers on two sockets are two cores", () => {
  const threads = [intelThread(0, 0, 0), intelThread(1, 0, 0), intelThread(2, 1, 0), intelThread(3, 1, 0)];
  const look = createFakeMachine({ files: { "/proc/cpuinfo": `${threads.join("\n\n")}\n` } });
  expect(linuxCpu(look)).toEqual({
    model: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    physicalCores: 2,
    threads: 4,
    features: ["amx_int8", "avx2", "avx512_vnni", "avx512f", "sse4_2"],
  });
});

test("on ARM the features are found, and the cores by their siblings", () => {
  const thread = (index: number): string =>
    `processor\t: ${index}\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp i8mm bf16 sve\nCPU implementer\t: 0x41\n`;
  const look = createFakeMachine({
    files: {
      "/proc/cpuinfo": [0, 1, 2, 3].map(thread).join("\n"),
      "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0-1\n",
      "/sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "0-1\n",
      "/sys/devices/system/cpu/cpu2/topology/thread_siblings_list": "2-3\n",
      "/sys/devices/system/cpu/cpu3/topology/thread_siblings_list": "2-3\n",
      "/sys/devices/system/cpu/cpufreq/policy0": "",
    },
  });
  expect(linuxCpu(look)).toEqual({
    model: undefined,
    physicalCores: 2,
    threads: 4,
    features: ["asimd", "asimddp", "bf16", "i8mm", "sve"],
  });
});

test("macOS tells its features in names of its own", () => {
  const apple = [
    "machdep.cpu.brand_string: Apple M3 Pro",
    "machdep.cpu.core_count: 12",
    "hw.physicalcpu: 12",
    "hw.logicalcpu: 12",
    "hw.optional.arm.FEAT_DotProd: 1",
    "hw.optional.arm.FEAT_I8MM: 1",
    "hw.optional.arm.FEAT_SME: 0",
    "hw.optional.AdvSIMD: 1",
  ];
  expect(parseSysctl(apple.join("\n"))).toEqual({
    model: "Apple M3 Pro",
    physicalCores: 12,
    threads: 12,
    features: ["asimd", "asimddp", "i8mm"],
  });
  const intel = ["machdep.cpu.features: FPU SSE4.2 AVX1.0 F16C", "machdep.cpu.leaf7_features: BMI2 AVX2 AVX512F"];
  expect(parseSysctl(intel.join("\n")).features).toEqual(["avx2", "avx512f", "bmi2", "f16c", "sse4_2"]);
});

test.for(["linux", "darwin", "win32", "freebsd"] as const)(
  "a %s machine that tells nothing is no error",
  async (platform) => {
    const cpu = await probeCpu(createFakeMachine({}), platform);
    expect(cpu).toMatchObject({ threads: cpus().length, features: [] });
    expect(cpu).not.toHaveProperty("physicalCores");
  },
);

test("Windows tells the number of cores", async () => {
  const look = createFakeMachine({ tools: { "powershell.exe": "6\r\n" } });
  expect(await probeCpu(look, "win32")).toMatchObject({ physicalCores: 6, features: [] });
});

test("a container's quota limits the threads to use, never below one", async () => {
  const files = { "/proc/self/mountinfo": "1 1 0:1 / /cg rw - cgroup2 none rw\n", "/proc/self/cgroup": "0::/\n" };
  const look = createFakeMachine({ files: { ...files, "/cg/cpu.max": "20000 100000" } });
  expect((await probeCpu(look, "linux")).usableThreads).toBe(1);
});

test("this machine has at least one core and one thread", async () => {
  const cpu = await probeCpu(machine);
  expect(cpu.threads).toBeGreaterThanOrEqual(1);
  expect(cpu.physicalCores ?? 1).toBeLessThanOrEqual(cpu.threads);
});
