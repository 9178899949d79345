/** What `probeHardware` finds. Every optional field is absent where the machine did not say. */
export interface Hardware {
  /** `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly architecture: string;
  readonly cpu: Cpu;
  readonly memory: MemoryState;
  readonly gpus: readonly Gpu[];
}

export interface Cpu {
  /** e.g. `AMD EPYC 9004`. */
  readonly model?: string;
  readonly physicalCores?: number;
  /** Hardware threads of the machine. */
  readonly threads: number;
  /** Threads this process may use: affinity and container quota respected; at least 1, may be a fraction. */
  readonly usableThreads: number;
  /** Instruction sets that matter for kernels, lower case as Linux names them: `avx2`, `avx512_vnni`, `asimddp` … */
  readonly features: readonly string[];
}

export interface MemoryState {
  readonly totalBytes: number;
  /** What new allocations can get without swapping; the limits of the container respected. */
  readonly availableBytes: number;
  /** Limit of the container (cgroup), where there is one below the memory of the machine. */
  readonly limitBytes?: number;
}

export interface Gpu {
  /** The interface that an engine would use. */
  readonly api: "cuda" | "vulkan" | "metal";
  readonly name: string;
  readonly totalBytes?: number;
  readonly freeBytes?: number;
  readonly driver?: string;
  /** What reported it. A bare `/dev/dri` is a hint that there is a GPU, not a proof that Vulkan works. */
  readonly source: "nvidia-smi" | "vulkaninfo" | "/dev/dri" | "macos";
}

/** How fast this machine reads memory: the ceiling of token generation. */
export interface ReadBandwidth {
  readonly bytesPerSecond: number;
  readonly threads: number;
  readonly bytes: number;
  readonly passes: number;
  /** One sentence on how it was measured. */
  readonly method: string;
}
