/** What a native engine or npm needs to run: paths, locale, temporary folders, the choice of GPU. No keys, no tokens. */
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
