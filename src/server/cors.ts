/** What a page of a listed origin is told. Other pages never get this far. */

const maxAgeSeconds = 600;

/** Answer to `OPTIONS`, for an origin that is allowed. */
export function preflight(request: Request, methods: readonly string[]): Response {
  const asked = request.headers.get("access-control-request-headers") ?? "";
  const headers = new Headers({
    "access-control-allow-methods": methods.join(", "),
    "access-control-max-age": String(maxAgeSeconds),
  });
  if (/^[\w-]+( *, *[\w-]+)*$/.test(asked) && asked.length < 2048) headers.set("access-control-allow-headers", asked);
  if (request.headers.get("access-control-request-private-network") === "true") {
    headers.set("access-control-allow-private-network", "true");
  }
  return new Response(null, { status: 204, headers });
}

/** Headers of every answer to an allowed origin. */
export function addCorsHeaders(headers: Headers, origin: string | undefined): void {
  headers.append("vary", "origin");
  if (origin === undefined) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", "x-request-id, x-hearth-dropped-tokens, retry-after");
}
