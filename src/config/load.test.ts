import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "./load.ts";
import { settingsTable } from "./settings.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "hearth-settings-"));

test("a flag wins over the environment, the environment over the file, the file over the default", () => {
  const data = folder();
  writeFileSync(join(data, "settings.json"), JSON.stringify({ port: 1, queue: 2, "keep-alive": "10m" }));
  const env = { HEARTH_DATA: data, HEARTH_PORT: "3", HEARTH_QUEUE: "4" };
  const { settings, sources } = loadSettings({ env, flags: { port: "5" } });
  expect([settings.port, settings.queue, settings.keepAlive, settings.host]).toEqual([5, 4, 600_000, "127.0.0.1"]);
  expect([sources.port, sources.queue, sources.keepAlive, sources.host]).toEqual([
    "flag",
    "environment",
    "file",
    "default",
  ]);
});

test("the names that the hub's own tools use are read too", () => {
  const { settings } = loadSettings({
    env: { HEARTH_DATA: folder(), HF_TOKEN: "secret", HF_ENDPOINT: "http://mirror" },
  });
  expect([settings.hubToken, settings.hub]).toEqual(["secret", "http://mirror"]);
});

test("a wrong value says which flag, variable or file entry it stands in", () => {
  const data = folder();
  expect(() => loadSettings({ env: { HEARTH_DATA: data, HEARTH_PORT: "many" } })).toThrow(/^HEARTH_PORT is "many"/);
  expect(() => loadSettings({ env: { HEARTH_DATA: data }, flags: { device: "tpu" } })).toThrow(/^--device is "tpu"/);
  writeFileSync(join(data, "settings.json"), JSON.stringify({ memory: "lots" }));
  expect(() => loadSettings({ env: { HEARTH_DATA: data } })).toThrow(/"memory" in settings.json is "lots"/);
});

test("a settings file that is no JSON object is refused with its path", () => {
  const data = folder();
  writeFileSync(join(data, "settings.json"), "{port: 1");
  expect(() => loadSettings({ env: { HEARTH_DATA: data } })).toThrow(join(data, "settings.json"));
});

test("every setting has its own flag and variable", () => {
  const rows = Object.values(settingsTable);
  expect(new Set(rows.map((row) => row.flag)).size).toBe(rows.length);
  expect(new Set(rows.map((row) => row.env)).size).toBe(rows.length);
});
