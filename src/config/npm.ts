/** The user's npm configuration, as far as a download needs it: which npm to run, and which credentials a registry gets. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Keys of all `.npmrc` files, the nearest one first to speak: environment, project, user, global. */
export type NpmConfig = ReadonlyMap<string, string>;

export interface NpmConfigInputs {
  readonly env?: Environment;
  /** Folder of the project whose `.npmrc` counts. */
  readonly folder?: string;
}

export function readNpmConfig({ env = process.env, folder = process.cwd() }: NpmConfigInputs = {}): NpmConfig {
  const home = env["HOME"] ?? env["USERPROFILE"] ?? homedir();
  const files = [
    environmentValue(env, "globalconfig") ?? join(npmPrefix(env), "etc", "npmrc"),
    environmentValue(env, "userconfig") ?? join(home, ".npmrc"),
    join(projectFolder(folder), ".npmrc"),
  ];
  const config = new Map<string, string>();
  for (const file of files) {
    for (const [key, value] of parseNpmrc(readIfThere(file), env)) config.set(key, value);
  }
  for (const [name, value] of Object.entries(env)) {
    const key = /^npm_config_(.+)$/i.exec(name)?.[1];
    // npm writes options with dashes as underscores; the keys of registries stay as they are.
    if (key !== undefined && value !== undefined && value !== "")
      config.set(key.startsWith("//") ? key : optionName(key), value);
  }
  return config;
}

/** Lines of `key = value`; comments, quotes and `${VARIABLE}` as npm reads them. Sections and lists are left out. */
export function parseNpmrc(text: string, env: Environment): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    const equals = line.indexOf("=");
    if (equals <= 0 || line.startsWith(";") || line.startsWith("#") || line.startsWith("[")) continue;
    const key = expand(unquote(line.slice(0, equals).trim()), env);
    if (!key.endsWith("[]")) values.set(key, expand(unquote(line.slice(equals + 1).trim()), env));
  }
  return values;
}

/**
 * The `Authorization` header that npm would send to this URL: keys are `//host/path/:_authToken` and belong to that
 * host and path, and what lies below it. undefined: none.
 */
export function npmAuthorization(config: NpmConfig, url: string): string | undefined {
  const { host, pathname } = new URL(url);
  const segments = pathname.split("/").slice(0, -1);
  for (let count = segments.length; count > 0; count--) {
    const base = `//${host}${segments.slice(0, count).join("/")}/`;
    const header = credentials(config, base) ?? credentials(config, base.slice(0, -1));
    if (header !== undefined) return header;
  }
  return undefined;
}

/** Whether npm reaches its registry in a way that only npm itself knows: a proxy or a client certificate. */
export function npmNeedsItself(config: NpmConfig): boolean {
  return ["proxy", "https-proxy", "cert", "certfile"].some((key) => isSet(config.get(key)));
}

/** Certificate authorities, PEM, that the user told npm to trust: a company's own, for instance. */
export function npmAuthorities(config: NpmConfig): readonly string[] {
  const { cafile, ca } = Object.fromEntries(config);
  const texts = [isSet(cafile) ? readIfThere(cafile) : "", isSet(ca) ? ca.replaceAll("\\n", "\n") : ""];
  return texts.flatMap((text) => text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []);
}

/** Command and first arguments that run the user's npm: the one that started us, else the one on the PATH. */
export function npmCommand(env: Environment = process.env): readonly string[] {
  const started = env["npm_execpath"];
  if (started !== undefined && /npm-cli\.c?js$/.test(started) && existsSync(started))
    return [process.execPath, started];
  if (process.platform !== "win32") return ["npm"];
  // npm.cmd cannot be started without a shell; the script behind it can.
  for (const folder of (env["PATH"] ?? env["Path"] ?? "").split(";")) {
    const script = join(folder, "node_modules", "npm", "bin", "npm-cli.js");
    if (folder !== "" && existsSync(script)) return [process.execPath, script];
  }
  return ["npm"];
}

function credentials(config: NpmConfig, base: string): string | undefined {
  const token = config.get(`${base}:_authToken`);
  if (isSet(token)) return `Bearer ${token}`;
  const basic = config.get(`${base}:_auth`);
  if (isSet(basic)) return `Basic ${basic}`;
  const user = config.get(`${base}:username`);
  const password = config.get(`${base}:_password`);
  if (!isSet(user) || !isSet(password)) return undefined;
  // npm keeps the password in base64.
  return `Basic ${Buffer.from(`${user}:${Buffer.from(password, "base64").toString()}`).toString("base64")}`;
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "" && value !== "null" && value !== "false";
}

function environmentValue(env: Environment, name: string): string | undefined {
  return env[`npm_config_${name}`] ?? env[`NPM_CONFIG_${name.toUpperCase()}`];
}

function npmPrefix(env: Environment): string {
  const prefix = environmentValue(env, "prefix") ?? env["PREFIX"];
  if (prefix !== undefined) return prefix;
  return process.platform === "win32" ? dirname(process.execPath) : dirname(dirname(process.execPath));
}

/** The nearest folder upwards that is a package; npm reads the `.npmrc` there. */
function projectFolder(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json")) || existsSync(join(at, "node_modules"))) return at;
    if (dirname(at) === at) return folder;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function unquote(text: string): string {
  return /^(["']).*\1$/.test(text) && text.length > 1 ? text.slice(1, -1) : text;
}

/** `${NAME}` → the variable, left as it is when there is none; `${NAME?}` → empty then. */
function expand(text: string, env: Environment): string {
  return text.replaceAll(
    /\$\{([^${}?]+)(\?)?\}/g,
    (whole, name: string, mark?: string) => env[name] ?? (mark === undefined ? whole : ""),
  );
}

function optionName(key: string): string {
  return key.toLowerCase().replaceAll(/(?!^)_/g, "-");
}
