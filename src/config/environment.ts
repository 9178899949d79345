/** What a native engine or npm needs to run: paths, locale, temporary folders, the choice of GPU. No keys, no tokens. */
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
const passed: readonly RegExp[] = [
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP)$/i,
  /^(SystemRoot|SystemDrive|windir|ComSpec|PATHEXT|USERPROFILE|APPDATA|LOCALAPPDATA|ProgramData|ProgramFiles)$/i,
  /^(LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|OMP_\w+|GOMP_\w+|GGML_\w+)$/,
  /^(CUDA_\w+|NVIDIA_\w+|VK_\w+|GGML_VK_\w+|HIP_\w+|ROCR_\w+|XDG_RUNTIME_DIR|DISPLAY)$/,
];

/** The part of the environment that a child process of an engine is given. */
export function engineEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && passed.some((pattern) => pattern.test(name))) picked[name] = value;
  }
  return picked;
}

/** What npm needs to run as its user set it up: everything but our own secrets and what a surrounding npm told its script. */
export function npmEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const picked: Record<string, string> = { NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" };
  for (const [name, value] of Object.entries(env)) {
    const ours = /^(HEARTH_|HF_TOKEN$|HUGGING_FACE_HUB_TOKEN$)/.test(name);
    const inherited = /^npm_(?!config_)|^npm_config_local_prefix$|^INIT_CWD$|^NODE_OPTIONS$/.test(name);
    if (value !== undefined && !ours && !inherited) picked[name] = value;
  }
  return picked;
}

/**
 * What threads and child processes have to be told of the compile cache of this process: by themselves they would translate
 * all of their code again. Empty where there is none.
 */
export function compileCacheEnvironment(): Readonly<Record<string, string>> {
  const folder = getCompileCacheDir();
  // Node makes a folder for its version in the one that it is given.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

/** The environment of a worker thread. */
export function workerEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, ...compileCacheEnvironment() };
}
