/** Typed arrays inside plain objects and arrays, and the places where they stand. */

/** Keys from the outside in. */
export type Path = readonly (string | number)[];

export type TypedArray = NodeJS.TypedArray;

/** Requests and results are flatter; a ring must not hold us up. */
const deepest = 8;

/**
 * The value without the typed arrays that `take` takes: null stands in their places. What holds none comes back as it is;
 * nothing is changed in place. An array that begins with no object is a leaf: it may hold millions of numbers.
 */
export function takeLeaves(value: unknown, take: (leaf: TypedArray, path: Path) => boolean, path: Path = []): unknown {
  if (typeof value !== "object" || value === null || path.length > deepest) return value;
  if (ArrayBuffer.isView(value)) return !(value instanceof DataView) && take(value as TypedArray, path) ? null : value;
  if (Array.isArray(value)) {
    if (typeof value[0] !== "object") return value;
    const items = value.map((item: unknown, index) => takeLeaves(item, take, [...path, index]));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const rest = takeLeaves(inner, take, [...path, key]);
    if (rest === inner) continue;
    // Spreading makes each key the copy's own: then none, not even `__proto__`, is more than a name.
    copy ??= { ...value } as Record<string, unknown>;
    copy[key] = rest;
  }
  return copy ?? value;
}

/** Puts a leaf back where `takeLeaves` left null. Throws where there is no such place. */
export function putLeaf(value: unknown, path: Path, leaf: TypedArray): void {
  let holder = value;
  for (const [index, key] of path.entries()) {
    if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) break;
    const place = holder as Record<string | number, unknown>;
    if (index < path.length - 1) holder = place[key];
    else if (place[key] === null) {
      place[key] = leaf;
      return;
    }
  }
  throw new Error(`nothing stands at ${path.join(".")}`);
}
