/** Names of files beside a model that hold its tensors. */

const mostBytes = 1024;

/**
 * Why a place must not be opened; undefined: it may be looked for. Only plain names below the model's folder pass: others
 * lead elsewhere, or mean something to a runtime, such as an address in its memory.
 */
export function safeLocation(location: string): string | undefined {
  if (location === "") return "which is no name";
  if (location.length > mostBytes) return "which is too long";
  if (location.startsWith("/")) return "which is not below the model's folder";
  const parts = location.split("/");
  if (parts.includes("..")) return "which leads out of the model's folder";
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\:*?"<>|]/.test(location)) return "which has characters that no such name has";
  if (parts.some((part, index) => part === "" || (part === "." && index > 0))) return "which is no plain name";
  return undefined;
}
