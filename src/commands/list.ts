import type { CatalogEntry } from "../models/contract.ts";
import type { InstalledModel } from "../spec/model.ts";
import { formatAge } from "../terminal/age.ts";
import { formatTable } from "../terminal/table.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, type Command } from "./command.ts";

export const list: Command = defineCommand({
  name: "list",
  text: "Lists the models on this machine, those of other tools included.",
  arguments: [{ name: "NAME", text: "only models whose name contains this" }],
  flags: { catalog: { kind: "switch", text: "the models that can be pulled by a short name" } },
  async run({ args, flags, hearth, json, io, status, writeJson }) {
    const { library } = await hearth();
    const part = args[0]?.toLowerCase() ?? "";
    if (flags.catalog) {
      const entries = library.catalog().filter(({ name, tag }) => `${name}:${tag}`.includes(part));
      if (json) writeJson({ models: entries });
      else io.stdout.write(formatTable(io.stdout, catalogColumns, entries));
      return;
    }
    const models = (await library.list({ onWarning: status.note })).filter((model) =>
      model.name.toLowerCase().includes(part),
    );
    if (json) {
      writeJson({ models: models.map(toModelJson) });
      return;
    }
    io.stdout.write(formatTable(io.stdout, columns, models));
    if (models.length === 0) status.note("No model is here yet. `hearth pull NAME` fetches one.");
  },
});

const columns = [
  { title: "NAME", value: (model: InstalledModel) => model.name },
  { title: "SIZE", value: (model: InstalledModel) => formatBytes(model.sizeBytes), align: "right" },
  { title: "FORMAT", value: (model: InstalledModel) => model.format },
  { title: "ORIGIN", value: (model: InstalledModel) => model.origin },
  { title: "MODIFIED", value: (model: InstalledModel) => formatAge(model.modifiedAt) },
] as const;

const catalogColumns = [
  { title: "NAME", value: ({ name, tag }: CatalogEntry) => `${name}:${tag}` },
  { title: "KIND", value: (entry: CatalogEntry) => entry.kind },
  { title: "SIZE", value: (entry: CatalogEntry) => formatBytes(entry.sources[0]?.sizeBytes ?? 0), align: "right" },
  { title: "LICENSE", value: (entry: CatalogEntry) => entry.license },
  { title: "DESCRIPTION", value: (entry: CatalogEntry) => entry.description },
] as const;

/** An installed model as the commands print it in JSON. */
export function toModelJson(model: InstalledModel): object {
  const { name, id, format, sizeBytes, origin, source, license, modifiedAt, files } = model;
  return { name, id, format, sizeBytes, origin, source, license, modifiedAt, files };
}
