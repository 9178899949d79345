import { HearthError } from "../../error.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { checkModel } from "./check.ts";
import { limits, schemaVersion } from "./limits.ts";
import { parseSubgraph } from "./parse-subgraph.ts";
import type { OperatorCode } from "./parse-subgraph.ts";
import { FlatReader } from "./reader.ts";
import { followFrom, FlatTable } from "./table.ts";
import type { ByteRange } from "./table.ts";
import { customCode } from "./types.ts";
import type { TfliteModel, TfliteSignature } from "./types.ts";

/**
 * Reads and checks a model: every offset is in the file, every index names something, constants have the size of their
 * tensor, and subgraphs do not run themselves. Throws `model_malformed` with details {field, offset}, and
 * `model_unsupported` for older versions of the format.
 */
export function parseTflite(source: ByteSource, name: string): TfliteModel {
  const reader = new FlatReader(source, name);
  if (reader.text(reader.within(4, 4), 4) !== "TFL3") reader.fail("is not that of a TFLite file", 4);
  const root = new FlatTable(reader, followFrom(reader, 0));
  const version = root.uint32(0);
  if (version !== schemaVersion) {
    throw new HearthError("model_unsupported", `${name} has version ${version} of the TFLite format.`, {
      hint: `Convert it anew: version ${schemaVersion} is of 2018.`,
    });
  }
  reader.part = "operator_codes";
  const codes = root.tables(1).map(parseCode);
  reader.part = "buffers";
  const buffers = root.tables(4).map((table) => parseBuffer(table));
  reader.part = "subgraphs";
  const graphs = root.tables(2);
  if (graphs.length === 0 || graphs.length > limits.subgraphs) reader.fail(`has ${graphs.length} subgraphs`, root.at);
  const subgraphs = graphs.map((table, index) => parseSubgraph(table, { index, codes }));
  reader.part = "signature_defs";
  const signatures = root.tables(7).map(parseSignature);
  reader.part = "metadata";
  const metadata = new Map(root.tables(6).map((table) => [table.text(0), table.uint32(1)] as const));
  reader.part = "model";
  const model: TfliteModel = {
    name,
    fileBytes: reader.sizeBytes,
    description: root.text(3),
    customOperators: customNames(subgraphs),
    subgraphs,
    buffers,
    signatures,
    metadata,
    places: { signatures: root.vector(7, 4) },
  };
  checkModel(model, reader);
  return model;
}

function customNames(subgraphs: TfliteModel["subgraphs"]): string[] {
  const names = subgraphs.flatMap(({ operators }) => operators.flatMap(({ custom }) => custom ?? []));
  return [...new Set(names)].toSorted();
}

/** Codes up to 127 were of one byte; the byte stays for old readers. */
function parseCode(table: FlatTable): OperatorCode {
  const code = Math.max(table.int8(0), table.int32(3));
  return code === customCode ? { code, custom: table.text(1) } : { code };
}

/** Data of models beyond 2 GB lies behind the FlatBuffer. */
function parseBuffer(table: FlatTable): ByteRange | undefined {
  const data = table.vector(0, 1);
  if (data && data.length > 0) return { offset: data.offset, length: data.length };
  const [offset, length] = [table.uint64(1), table.uint64(2)];
  if (offset <= 1) return undefined;
  return { offset: table.reader.within(offset, length), length };
}

function parseSignature(table: FlatTable): TfliteSignature {
  const ports = (field: number): { name: string; tensor: number }[] =>
    table.tables(field).map((port) => ({ name: port.text(0), tensor: port.uint32(1) }));
  return { key: table.text(2), subgraph: table.uint32(4), inputs: ports(0), outputs: ports(1) };
}
