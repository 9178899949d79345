import type { Hearth } from "../../tasks/contract.ts";
import type { ScenarioName } from "./scenario.ts";
import type { Sizes } from "./scenarios.ts";

export interface ServeBenchOptions {
  readonly hearth: Hearth;
  readonly model: string;
  /** The program and its first arguments that start hearth: what comes next is `serve`. */
  readonly program: readonly string[];
  readonly vs?: "llama.cpp";
  /** Module of node-llama-cpp as a URL; needed with `vs`. */
  readonly peerModule?: string;
  /** Path of llama-server. Default: the one on the PATH, if there is one. */
  readonly llamaServer?: string;
  readonly only?: readonly ScenarioName[];
  readonly runs?: number;
  /** Requests of each client of the scenario mixed. */
  readonly mixedRequests?: number;
  /** Default: those of the table. */
  readonly sizes?: Partial<Sizes>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}
