/** Ollama's HTTP API: https://github.com/ollama/ollama/blob/main/docs/api.md */
import type { Dialect, Reply, Route } from "../route.ts";
import { handleChat } from "./chat.ts";
import { handleEmbed, handleEmbeddings } from "./embed.ts";
import { notOffered, toErrorBody } from "./error.ts";
import { handleGenerate } from "./generate.ts";
import { handleCopy, handleDelete, handlePs, handleTags } from "./models.ts";
import { handlePull } from "./pull.ts";
import { handleShow } from "./show.ts";

/** Clients switch features on by this number, so it is the version of Ollama whose API this is. */
const ollamaVersion = "0.32.0";

const running: Route["handle"] = async () => ({ kind: "text", body: "Ollama is running" });

const version: Route["handle"] = async () => ({ kind: "json", body: { version: ollamaVersion, server: "hearth" } });

/** The server answers HEAD wherever there is a GET. */
const routes: readonly Route[] = [
  { method: "GET", path: "/", access: "public", handle: running },
  { method: "GET", path: "/api/version", access: "models:read", handle: version },
  { method: "GET", path: "/api/tags", access: "models:read", handle: handleTags },
  { method: "POST", path: "/api/show", access: "models:read", handle: handleShow },
  { method: "GET", path: "/api/ps", access: "models:read", handle: handlePs },
  { method: "POST", path: "/api/pull", access: "models:write", handle: handlePull },
  { method: "DELETE", path: "/api/delete", access: "models:write", handle: handleDelete },
  { method: "POST", path: "/api/copy", access: "models:write", handle: handleCopy },
  { method: "POST", path: "/api/chat", access: "infer", handle: handleChat },
  { method: "POST", path: "/api/generate", access: "infer", handle: handleGenerate },
  { method: "POST", path: "/api/embed", access: "infer", handle: handleEmbed },
  { method: "POST", path: "/api/embeddings", access: "infer", handle: handleEmbeddings },
  refused("/api/create", "Creating models", "Put the GGUF file in place and use its path, or pull it by reference."),
  refused("/api/push", "Pushing models", "Share the reference of the model, e.g. hf:owner/repo/file.gguf."),
  refused("/api/blobs/:digest", "Uploading model files", "Pull the model by reference, or use the path of a file."),
];

export const ollama: Dialect = { name: "ollama", routes, errorBody: toErrorBody, errorFrame: toErrorBody };

function refused(path: string, what: string, instead: string): Route {
  const handle = async (): Promise<Reply> => {
    throw notOffered(what, instead);
  };
  return { method: "POST", path, access: "models:write", handle };
}
