import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { InstalledModel, ModelFile } from "../spec/model.ts";
import type { PullOptions, VerifyResult } from "./contract.ts";
import { fileSize } from "./store.ts";

/** Hashes every file of these models again: any changed byte shows. */
export async function verifyModels(
  models: readonly InstalledModel[],
  { signal, onProgress }: PullOptions,
): Promise<readonly VerifyResult[]> {
  const results: VerifyResult[] = [];
  for (const model of models) {
    for (const file of model.files) {
      let completedBytes = 0;
      const onBytes = (bytes: number): void => {
        completedBytes += bytes;
        onProgress?.({
          phase: "verify",
          label: `${model.name} ${file.name}`,
          completedBytes,
          totalBytes: file.sizeBytes,
        });
      };
      const outcome = await verifyFile(file, { onBytes, ...(signal && { signal }) });
      results.push({ model: model.name, file: file.name, ...outcome });
    }
  }
  return results;
}

interface HashOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
  readonly algorithm?: string;
}

async function verifyFile(file: ModelFile, options: HashOptions): Promise<Pick<VerifyResult, "status" | "message">> {
  const size = await fileSize(file.path);
  if (size === undefined) return { status: "missing", message: `${file.path} is gone.` };
  if (size !== file.sizeBytes) {
    return { status: "changed", message: `It has ${size} bytes instead of ${file.sizeBytes}.` };
  }
  if (file.sha256 === undefined) return { status: "unhashed", message: "No hash of this file is known." };
  const digest = (await hashFile(file.path, options)).toString("hex");
  if (digest === file.sha256) return { status: "ok" };
  return { status: "changed", message: `Its SHA-256 is ${digest} instead of ${file.sha256}.` };
}

/** Digest of a whole file, SHA-256 unless told otherwise. */
export async function hashFile(
  path: string,
  { signal, onBytes, algorithm = "sha256" }: HashOptions = {},
): Promise<Buffer> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, ...(signal && { signal }) })) {
    const bytes = chunk as Buffer;
    hash.update(bytes);
    onBytes?.(bytes.length);
  }
  return hash.digest();
}
