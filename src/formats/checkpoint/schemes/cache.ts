/** Keeps what was made last, up to a number of bytes. */
export interface Cache<Value> {
  /** The value of this key, made if it is not there. Values larger than the whole cache stay until the next one comes. */
  get(key: string, make: () => Value): Value;
}

/** `sizeOf` gives the bytes of a value; the least recently used ones are dropped. */
export function createCache<Value>(mostBytes: number, sizeOf: (value: Value) => number): Cache<Value> {
  const values = new Map<string, Value>();
  let bytes = 0;
  const drop = (key: string, value: Value): void => {
    values.delete(key);
    bytes -= sizeOf(value);
  };
  return {
    get(key, make) {
      const known = values.get(key);
      if (known !== undefined) {
        values.delete(key);
        values.set(key, known);
        return known;
      }
      const value = make();
      values.set(key, value);
      bytes += sizeOf(value);
      for (const [oldest, old] of values) {
        if (bytes <= mostBytes || oldest === key) break;
        drop(oldest, old);
      }
      return value;
    },
  };
}
