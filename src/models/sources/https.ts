import { HearthError } from "../../error.ts";
import type { LibraryContext } from "../context.ts";
import { stageFile } from "../stage.ts";
import { roleOfFile, type Courier, type Fetched, type SourceRequest } from "./source.ts";

/** One file from anywhere. Only the catalog can know its hash. */
export async function fetchUrl(
  context: LibraryContext,
  url: string,
  { sha256, courier }: Pick<SourceRequest, "sha256"> & { courier: Courier },
): Promise<Fetched> {
  const name = urlFile(url);
  courier.report({ phase: "resolve", label: url, completedBytes: 0 });
  const role = roleOfFile(name);
  const file = await stageFile(
    context,
    { url, label: name, name, role: role === "other" ? "weights" : role, sha256 },
    courier,
  );
  return { files: [file], source: url, leftovers: [] };
}

/** The last part of the path, for display and for the model's name. */
export function urlFile(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  if (last === "")
    throw new HearthError("bad_request", `${url} names no file.`, { hint: "Give the URL of a model file." });
  try {
    return decodeURIComponent(last).slice(0, 200);
  } catch {
    return last.slice(0, 200);
  }
}
