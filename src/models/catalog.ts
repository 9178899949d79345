import type { CatalogEntry } from "./contract.ts";
import rows from "./catalog.json" with { type: "json" };

/** Well-known models by short name. `catalog.json` is data: sizes there are for display unless a SHA-256 stands beside. */
export type Catalog = readonly CatalogEntry[];

export function loadCatalog(): Catalog {
  // The shape is checked by catalog.test.ts: the file ships with the program.
  return rows as readonly CatalogEntry[];
}

/** `latest` means the default tag of the name. */
export function catalogEntry(catalog: Catalog, name: string, tag: string): CatalogEntry | undefined {
  const same = catalog.filter((entry) => entry.name === name.toLowerCase());
  const exact = same.find((entry) => entry.tag === tag.toLowerCase());
  return exact ?? (tag === "latest" ? (same.find((entry) => entry.default === true) ?? same[0]) : undefined);
}

/** Every way to write the names in the catalog: `name:tag`, and `name` alone. */
export function catalogNames(catalog: Catalog): readonly string[] {
  return [...new Set(catalog.flatMap((entry) => [entry.name, `${entry.name}:${entry.tag}`]))];
}
