/** Length of the longest end of `text` that may still become one of the markers. */
export function openLength(text: string, markers: readonly string[]): number {
  let longest = 0;
  for (const marker of markers) {
    for (let length = Math.min(marker.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(marker.slice(0, length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
}

export interface Found {
  readonly at: number;
  readonly marker: string;
}

/** The marker that begins first; of several that begin at one place, the longest. */
export function firstMarker(text: string, markers: readonly string[]): Found | undefined {
  let best: Found | undefined;
  for (const marker of markers) {
    const at = text.indexOf(marker);
    if (at < 0) continue;
    if (!best || at < best.at || (at === best.at && marker.length > best.marker.length)) best = { at, marker };
  }
  return best;
}
