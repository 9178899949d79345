/** Which parts of a file are in use. */
export interface Regions {
  /** Where `bytes` are free: the first gap that holds them, else behind the last region. */
  allocate(bytes: number): number;
  /** Where nothing begins, nothing happens. */
  free(at: number): void;
  readonly count: number;
}

/** Copies between whole pages are the quickest. */
const pageBytes = 4096;

export function createRegions(): Regions {
  /** In the order of the file. There are as many as arrays under way: a few. */
  const regions: { readonly at: number; readonly end: number }[] = [];
  return {
    allocate(bytes) {
      const size = Math.ceil(bytes / pageBytes) * pageBytes;
      let at = 0;
      let index = 0;
      for (const region of regions) {
        if (region.at - at >= size) break;
        at = region.end;
        index++;
      }
      regions.splice(index, 0, { at, end: at + size });
      return at;
    },
    free(at) {
      const index = regions.findIndex((region) => region.at === at);
      if (index >= 0) regions.splice(index, 1);
    },
    get count() {
      return regions.length;
    },
  };
}
