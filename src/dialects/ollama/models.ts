/** Routes that list and change the models of the store. */
import type { LoadedStatus } from "../../runtime/contract.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { toCapabilities, toDetails, tryInspect } from "./details.ts";
import { namedModel, parseCopyBody, parseDeleteBody } from "./model-schema.ts";
import { resolveModel, withModel } from "./names.ts";

/** GET /api/tags: newest first. Headers of model files are read once and then remembered by the library. */
export async function handleTags(_request: RouteRequest, { library }: Hearth): Promise<Reply> {
  const installed = [...(await library.list())].sort((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime());
  const models = await Promise.all(
    installed.map(async (model) => {
      const info = await tryInspect(library, model);
      return {
        name: model.name,
        model: model.name,
        modified_at: model.modifiedAt.toISOString(),
        size: model.sizeBytes,
        digest: model.id,
        details: toDetails(model, info),
        capabilities: toCapabilities(info),
      };
    }),
  );
  return { kind: "json", body: { models } };
}

/** GET /api/ps: what is loaded; the one that stays longest first. */
export async function handlePs(_request: RouteRequest, { runtime }: Hearth): Promise<Reply> {
  const loaded = [...runtime.loaded()].sort((a, b) => expiry(b).getTime() - expiry(a).getTime());
  return { kind: "json", body: { models: loaded.map(toLoaded) } };
}

/** DELETE /api/delete. A loaded model is stopped first. */
export async function handleDelete(request: RouteRequest, { library, runtime }: Hearth): Promise<Reply> {
  const name = namedModel(parseDeleteBody(request.body));
  const model = await resolveModel(library, name);
  await runtime.stop(model.name);
  await withModel(name, async () => {
    await library.remove(model.name);
  });
  return { kind: "text", body: "" };
}

/** POST /api/copy: a second name for the same bytes. */
export async function handleCopy(request: RouteRequest, { library }: Hearth): Promise<Reply> {
  const { source, destination } = parseCopyBody(request.body);
  await withModel(source, async () => await library.copy(source, destination));
  return { kind: "text", body: "" };
}

/** Ollama writes "never" as a time that is as far away as Go's longest duration. */
const never = new Date("2318-01-01T00:00:00Z");

function expiry(status: LoadedStatus): Date {
  return status.expiresAt ?? never;
}

function toLoaded(status: LoadedStatus): object {
  const { name, model, info, memory } = status;
  return {
    name,
    model: name,
    size: memory.ramBytes + memory.vramBytes,
    digest: model.id,
    details: toDetails(model, info),
    expires_at: expiry(status).toISOString(),
    size_vram: memory.vramBytes,
    context_length: status.contextTokens,
    // Not in Ollama: what `hearth ps` shows.
    hearth: {
      state: status.state,
      engine: status.engine,
      device: status.device,
      parallel: status.parallel,
      running: status.running,
      waiting: status.waiting,
      expires: status.expiresAt !== undefined,
    },
  };
}
