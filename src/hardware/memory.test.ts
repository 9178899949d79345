import { expect, test } from "vitest";
import { cpuQuota } from "./cgroup.ts";
import { createFakeMachine } from "../../test/fake-machine.ts";
import { linuxMemory, systemMemory } from "./memory.ts";

const kibibyte = 1024;
const mebibyte = 1024 ** 2;
const meminfo =
  "MemTotal:       8388608 kB\nMemFree:         100000 kB\nMemAvailable:   6291456 kB\nCached:  5000 kB\n";
const mounts = {
  v2: "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
  v1:
    "30 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" +
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
};

test("on a plain Linux machine, available is what the kernel says", () => {
  const look = createFakeMachine({ files: { "/proc/meminfo": meminfo } });
  expect(linuxMemory(look)).toEqual({ totalBytes: 8192 * mebibyte, availableBytes: 6144 * mebibyte });
});

test("an old kernel without MemAvailable still gives a figure", () => {
  const look = createFakeMachine({
    files: { "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nCached: 200 kB\n" },
  });
  expect(linuxMemory(look)).toEqual({ totalBytes: 1000 * kibibyte, availableBytes: 500 * kibibyte });
});

test("the limit of a version 2 group counts, less what it uses, without the pages of files", () => {
  const group = "/sys/fs/cgroup/app.slice/hearth.service";
  const look = createFakeMachine({
    files: {
      "/proc/meminfo": meminfo,
      "/proc/self/mountinfo": mounts.v2,
      "/proc/self/cgroup": "0::/app.slice/hearth.service\n",
      [`${group}/memory.max`]: `${4096 * mebibyte}\n`,
      [`${group}/memory.current`]: `${3000 * mebibyte}\n`,
      [`${group}/memory.stat`]: `anon 1\nfile 9\ninactive_file ${1000 * mebibyte}\nactive_file ${500 * mebibyte}\n`,
    },
  });
  expect(linuxMemory(look)).toEqual({
    totalBytes: 4096 * mebibyte,
    availableBytes: (4096 - 3000 + 1500) * mebibyte,
    limitBytes: 4096 * mebibyte,
  });
});

test("a tighter limit further up counts for all below, and memory.high is a limit too", () => {
  const files = {
    "/proc/meminfo": meminfo,
    "/proc/self/mountinfo": mounts.v2,
    "/proc/self/cgroup": "0::/pod/container\n",
    "/sys/fs/cgroup/pod/memory.max": "max\n",
    "/sys/fs/cgroup/pod/memory.high": `${1024 * mebibyte}\n`,
    "/sys/fs/cgroup/pod/memory.current": `${1000 * mebibyte}\n`,
    "/sys/fs/cgroup/pod/container/memory.max": `${2048 * mebibyte}\n`,
    "/sys/fs/cgroup/pod/container/memory.current": `${10 * mebibyte}\n`,
  };
  expect(linuxMemory(createFakeMachine({ files }))).toMatchObject({
    limitBytes: 1024 * mebibyte,
    availableBytes: 24 * mebibyte,
  });
});

test("the limit of a version 1 group counts, also where the mount shows only the container", () => {
  const files = {
    "/proc/meminfo": meminfo,
    "/proc/self/mountinfo": mounts.v1,
    "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/\n1:name=systemd:/\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${512 * mebibyte}\n`,
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${600 * mebibyte}\n`,
    "/sys/fs/cgroup/memory/memory.stat": `cache 1\ntotal_inactive_file ${200 * mebibyte}\ntotal_active_file 0\n`,
  };
  expect(linuxMemory(createFakeMachine({ files }))).toMatchObject({
    limitBytes: 512 * mebibyte,
    availableBytes: 112 * mebibyte,
  });
});

test.for([
  ["no limit is set", "max"],
  ["version 1 writes a number without meaning", "9223372036854771712"],
  ["the limit is above the machine", String(100_000 * mebibyte)],
  ["the file holds nonsense", "many"],
])("there is no limit when %s", ([, text]) => {
  const files = {
    "/proc/meminfo": meminfo,
    "/proc/self/mountinfo": mounts.v2,
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/memory.max": text ?? "",
    "/sys/fs/cgroup/memory.current": "5",
  };
  expect(linuxMemory(createFakeMachine({ files }))).toEqual({
    totalBytes: 8192 * mebibyte,
    availableBytes: 6144 * mebibyte,
  });
});

test("a group that uses more than its limit leaves nothing, never less", () => {
  const files = {
    "/proc/meminfo": meminfo,
    "/proc/self/mountinfo": mounts.v2,
    "/proc/self/cgroup": "0::/../elsewhere\n",
    "/sys/fs/cgroup/memory.max": "1000",
    "/sys/fs/cgroup/memory.current": "5000",
  };
  expect(linuxMemory(createFakeMachine({ files }))?.availableBytes).toBe(0);
});

test("the quota of CPU time is read from both versions", () => {
  const v2 = { "/proc/self/mountinfo": mounts.v2, "/proc/self/cgroup": "0::/\n" };
  expect(cpuQuota(createFakeMachine({ files: { ...v2, "/sys/fs/cgroup/cpu.max": "150000 100000\n" } }))).toBe(1.5);
  expect(cpuQuota(createFakeMachine({ files: { ...v2, "/sys/fs/cgroup/cpu.max": "max 100000\n" } }))).toBeUndefined();
  const folder = "/sys/fs/cgroup/cpu,cpuacct";
  const v1 = { "/proc/self/mountinfo": mounts.v1, "/proc/self/cgroup": "4:cpu,cpuacct:/\n" };
  const period = { [`${folder}/cpu.cfs_period_us`]: "100000" };
  const quota = (text: string): number | undefined =>
    cpuQuota(createFakeMachine({ files: { ...v1, ...period, [`${folder}/cpu.cfs_quota_us`]: text } }));
  expect(quota("50000\n")).toBe(0.5);
  expect(quota("-1\n")).toBeUndefined();
});

test("elsewhere than on Linux there is no /proc, and that is no error", () => {
  expect(linuxMemory(createFakeMachine({}))).toBeUndefined();
});

test("this machine has memory, and some of it is free", () => {
  const { totalBytes, availableBytes } = systemMemory();
  expect(totalBytes).toBeGreaterThan(64 * mebibyte);
  expect(availableBytes).toBeGreaterThan(0);
  expect(availableBytes).toBeLessThanOrEqual(totalBytes);
});
