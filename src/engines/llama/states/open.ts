import { join } from "node:path";
import type { LlamaContextSequence } from "node-llama-cpp";
import type { LoadJob } from "../job.ts";
import { identifyLoad } from "./identity.ts";
import type { States } from "./states.ts";
import { openStates } from "./states.ts";

/**
 * The prompts on disk that fit a loaded model. None where a state cannot be cut to a shorter prefix, as with recurrent
 * layers and sliding windows.
 */
export async function openPromptStates(
  { model, options, backend, notice }: LoadJob,
  sequences: readonly LlamaContextSequence[],
): Promise<States | undefined> {
  const { diskCache } = options;
  if (!diskCache || diskCache.mostBytes <= 0 || sequences.some(({ needsCheckpoints }) => needsCheckpoints))
    return undefined;
  const identity = await identifyLoad({
    path: model.path,
    options,
    device: backend.device,
    version: await backend.library.getModuleVersion(),
    sequences: sequences.length,
  });
  return await openStates({
    folder: join(diskCache.folder, "llama"),
    mostBytes: diskCache.mostBytes,
    identity,
    bytesPerToken: model.info.kvBytesPerToken,
    onNotice: notice,
  });
}
