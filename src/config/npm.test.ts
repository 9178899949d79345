import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { npmAuthorization, npmCommand, npmAuthorities, npmNeedsItself, parseNpmrc, readNpmConfig } from "./npm.ts";

test("lines of an .npmrc are read as npm reads them", () => {
  const text = [
    "; a comment",
    "# another",
    "registry = https://r.example/",
    "//r.example/:_authToken=${TOKEN}",
    '//q.example/:_authToken="quoted"',
    "//m.example/:_authToken=${MISSING}",
    "//n.example/:_authToken=${MISSING?}",
    "ca[]=one",
    "[section]",
    "no value",
    "=nothing",
  ].join("\r\n");
  expect([...parseNpmrc(text, { TOKEN: "t0k=en" })]).toEqual([
    ["registry", "https://r.example/"],
    ["//r.example/:_authToken", "t0k=en"],
    ["//q.example/:_authToken", "quoted"],
    ["//m.example/:_authToken", "${MISSING}"],
    ["//n.example/:_authToken", ""],
  ]);
});

test("a key goes to its own host and path, and to nobody else", () => {
  const config = new Map([
    ["//r.example/:_authToken", "all"],
    ["//r.example/private/:_authToken", "private"],
    ["//r.example:8443/:_auth", "dTpw"],
    ["//old.example/npm/:username", "me"],
    ["//old.example/npm/:_password", Buffer.from("secret").toString("base64")],
  ]);
  const header = (url: string): string | undefined => npmAuthorization(config, url);
  expect(header("https://r.example/a/-/a-1.tgz")).toBe("Bearer all");
  expect(header("https://r.example/private/a/-/a-1.tgz")).toBe("Bearer private");
  expect(header("https://r.example/private2/a/-/a-1.tgz")).toBe("Bearer all");
  expect(header("https://r.example:8443/a/-/a-1.tgz")).toBe("Basic dTpw");
  expect(header("https://old.example/npm/a/-/a-1.tgz")).toBe(`Basic ${Buffer.from("me:secret").toString("base64")}`);
  for (const other of [
    "https://old.example/a.tgz",
    "https://evil.example/a.tgz",
    "https://r.example.evil/a.tgz",
    "https://r.example:1/a.tgz",
  ]) {
    expect([other, header(other)]).toEqual([other, undefined]);
  }
});

test("the project comes before the user, the user before the system, the environment before all", () => {
  const root = mkdtempSync(join(tmpdir(), "hearth-npm-"));
  const write = (path: string, text: string): string => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
    return join(root, path);
  };
  const env = {
    HOME: join(root, "home"),
    npm_config_globalconfig: write("etc/npmrc", "a=global\nb=global\nc=global\nd=global"),
    npm_config_d: "environment",
    "npm_config_//r.example/:_authToken": "from-env",
    npm_config_https_proxy: "",
  };
  write("home/.npmrc", "a=user\nb=user");
  write("project/package.json", "{}");
  write("project/.npmrc", "a=project");
  mkdirSync(join(root, "project/deep/deeper"), { recursive: true });
  const config = readNpmConfig({ env, folder: join(root, "project/deep/deeper") });
  expect(["a", "b", "c", "d"].map((key) => config.get(key))).toEqual(["project", "user", "global", "environment"]);
  expect(npmAuthorization(config, "https://r.example/x.tgz")).toBe("Bearer from-env");
  expect(npmNeedsItself(config)).toBe(false);
  const proxied = readNpmConfig({ env: { ...env, npm_config_https_proxy: "http://proxy:3128" }, folder: root });
  expect(npmNeedsItself(proxied)).toBe(true);
});

test("the npm that started hearth is the one that is asked", () => {
  const script = join(mkdtempSync(join(tmpdir(), "hearth-npm-")), "npm-cli.js");
  writeFileSync(script, "");
  expect(npmCommand({ npm_execpath: script })).toEqual([process.execPath, script]);
  expect(npmCommand({ npm_execpath: "/gone/npm-cli.js", PATH: "" })).toEqual(["npm"]);
  expect(npmCommand({ npm_execpath: "/usr/bin/yarn.js", PATH: "" })).toEqual(["npm"]);
});

test("certificates that npm trusts are read from its file and from its option", () => {
  const certificate = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`;
  const file = join(mkdtempSync(join(tmpdir(), "hearth-npm-")), "ca.pem");
  writeFileSync(file, `# two\n${certificate("QUFB")}\n${certificate("QkJC")}\n`);
  const config = new Map([
    ["cafile", file],
    ["ca", certificate("Q0ND").replaceAll("\n", "\\n")],
  ]);
  expect(npmAuthorities(config)).toEqual(["QUFB", "QkJC", "Q0ND"].map(certificate));
  expect(
    npmAuthorities(
      new Map([
        ["cafile", "/gone.pem"],
        ["ca", "null"],
      ]),
    ),
  ).toEqual([]);
});
