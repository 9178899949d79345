import { defineCommand, loadSettingNames, pullSettingNames, type Command } from "./command.ts";

export const serve: Command = defineCommand({
  name: "serve",
  text: "Serves the OpenAI and Ollama APIs over HTTP until Ctrl-C or SIGTERM; running requests are finished first.",
  arguments: [],
  settings: [
    "host",
    "port",
    "apiKey",
    "apiKeyFile",
    "allowHost",
    "allowOrigin",
    "bodyLimit",
    "queue",
    "drain",
    "maxLoaded",
    "defaultModel",
    "keepAlive",
    "sleepAfter",
    "overflow",
    "diskCache",
    ...loadSettingNames,
    ...pullSettingNames,
  ],
  examples: ["hearth serve", "hearth serve --host 0.0.0.0 --api-key-file keys.txt"],
  async run({ hearth, io, json, services, signal, status }) {
    const server = await services.serve({
      hearth: await hearth(),
      onError({ id, route, error }) {
        status.note(
          `Error ${id} in ${route}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      },
    });
    // Scripts wait for this one line; nothing else is ever written to stdout.
    io.stdout.write(json ? `${JSON.stringify({ url: server.url })}\n` : `hearth is listening on ${server.url}\n`);
    const stop = (): void => {
      status.note("Finishing running requests; Ctrl-C again ends at once.");
      server.shutdown().catch((error: unknown) => {
        status.note(`The server did not close cleanly: ${error instanceof Error ? error.message : String(error)}`);
      });
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    await server.closed;
  },
});
