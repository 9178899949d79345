/** What callers over HTTP must not reach, whichever dialect they speak: files of this machine and foreign URLs. */
import { HearthError } from "../error.ts";
import type { ModelLibrary } from "../models/contract.ts";
import { isPathReference } from "../models/reference.ts";
import type { Hearth } from "../tasks/contract.ts";

/** The same library, but a model can only be named, not pointed at. */
export function guardHearth(hearth: Hearth): Hearth {
  return {
    settings: hearth.settings,
    runtime: {
      acquire: (request) => hearth.runtime.acquire({ ...request, model: checkName(request.model) }),
      plan: async (model, load) => await hearth.runtime.plan(checkName(model), load),
      stop: async (model) => await hearth.runtime.stop(checkName(model)),
      sleep: async (model) => {
        await hearth.runtime.sleep(checkName(model));
      },
      loaded: () => hearth.runtime.loaded(),
      stats: () => hearth.runtime.stats(),
      totals: () => hearth.runtime.totals(),
      drain: (signal) => hearth.runtime.drain(signal),
      dispose: () => hearth.runtime.dispose(),
    },
    library: guardLibrary(hearth.library),
    chat: (request) => hearth.chat({ ...request, model: checkName(request.model) }),
    complete: (request) => hearth.complete({ ...request, model: checkName(request.model) }),
    embed: async (request) => await hearth.embed({ ...request, model: checkName(request.model) }),
    rerank: async (request) => await hearth.rerank({ ...request, model: checkName(request.model) }),
    perform: async (request) => await hearth.perform({ ...request, model: checkName(request.model) }),
    dispose: () => hearth.dispose(),
  };
}

function guardLibrary(library: ModelLibrary): ModelLibrary {
  return {
    list: () => library.list(),
    resolve: async (text) => await library.resolve(checkName(text)),
    pull: async (text, options) => await library.pull(checkSource(text), options),
    remove: async (name) => await library.remove(checkName(name)),
    copy: async (source, destination) => await library.copy(checkName(source), checkName(destination)),
    verify: async (name, options) => await library.verify(name === undefined ? name : checkName(name), options),
    inspect: (model) => library.inspect(model),
    catalog: () => library.catalog(),
  };
}

/** The same answer whether the file exists or not. */
function checkName(text: string): string {
  if (!isPathReference(text)) return text;
  throw new HearthError("model_not_found", "A request must name an installed model; it cannot give a path.");
}

/** The server must not open connections to addresses that a caller chose. */
function checkSource(text: string): string {
  if (/^\s*https?:/i.test(text)) {
    throw new HearthError("forbidden", "A model cannot be pulled from a URL over the API.", {
      hint: "Use `hearth pull URL` on the machine itself.",
    });
  }
  return checkName(text);
}
