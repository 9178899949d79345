import type { CatalogEntry } from "../../models/contract.ts";
import type { Progress } from "../../spec/model.ts";
import type { Hearth } from "../../tasks/contract.ts";
import { createChannel } from "../../util/channel.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { unsupported } from "./fields.ts";
import { namedModel, parsePullBody } from "./model-schema.ts";
import { withModel } from "./names.ts";

export interface PullFrame {
  readonly status: string;
  readonly digest?: string;
  readonly total?: number;
  readonly completed?: number;
}

/** POST /api/pull. What fails before anything is known of the model has a status code; later it ends the stream. */
export async function handlePull(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const body = parsePullBody(request.body);
  if (body.insecure) throw unsupported("insecure", "models are fetched over verified connections only");
  if (body.username || body.password) throw unsupported("username", "tokens are settings of the server");
  const name = namedModel(body);
  if (body.stream !== false) return { kind: "ndjson", frames: await startPull(name, request, hearth) };
  await withModel(name, async () => await hearth.library.pull(name, { signal: request.signal }));
  return { kind: "json", body: { status: "success" } satisfies PullFrame };
}

async function startPull(name: string, request: RouteRequest, { library }: Hearth): Promise<AsyncIterable<PullFrame>> {
  const frames = createChannel<PullFrame>();
  const describe = createDescriber(library.catalog());
  const first = Promise.withResolvers<void>();
  const onProgress = (progress: Progress): void => {
    for (const frame of describe(progress)) frames.push(frame);
    first.resolve();
  };
  frames.push({ status: "pulling manifest" });
  const transfer = async (): Promise<void> => {
    try {
      await withModel(name, async () => await library.pull(name, { signal: request.signal, onProgress }));
      frames.push({ status: "success" });
      frames.end();
    } catch (error) {
      frames.fail(error);
      throw error;
    }
  };
  const done = transfer();
  // Whichever comes first: news, the end, or a refusal. Later failures reach the client through the channel.
  await Promise.race([first.promise, done]);
  done.catch(() => undefined);
  return frames;
}

const intervalMs = 100;

/** Progress → frames: bytes at most ten times a second for each file, other phases once. */
export function createDescriber(
  catalog: readonly CatalogEntry[],
  now: () => number = Date.now,
): (progress: Progress) => readonly PullFrame[] {
  const sentAt = new Map<string, number>();
  const said = new Set<string>();
  const once = (status: string): readonly PullFrame[] => {
    if (said.has(status)) return [];
    said.add(status);
    return [{ status }];
  };
  return (progress) => {
    switch (progress.phase) {
      case "download": {
        const { label, completedBytes: completed, totalBytes: total } = progress;
        const last = sentAt.get(label);
        if (last !== undefined && completed !== total && now() - last < intervalMs) return [];
        sentAt.set(label, now());
        const { digest, short } = nameFile(progress, catalog);
        return [{ status: `pulling ${short}`, digest, ...(total === undefined ? {} : { total }), completed }];
      }
      case "verify":
        return once("verifying sha256 digest");
      case "install":
        return once("writing manifest");
      default:
        return [];
    }
  };
}

/**
 * Clients tell files apart by `digest`. It is the SHA-256 where the catalog knows it; a hub often tells only at the
 * end, and then the name of the file serves.
 */
function nameFile(
  { label, totalBytes }: Progress,
  catalog: readonly CatalogEntry[],
): { digest: string; short: string } {
  const source = catalog.flatMap(({ sources }) => sources).find((item) => item.sha256 && item.sizeBytes === totalBytes);
  if (!source?.sha256) return { digest: label, short: label };
  return { digest: `sha256:${source.sha256}`, short: source.sha256.slice(0, 12) };
}
