/** Work of one name at the same time, whose results come in the order in which it began. */
export type InOrder = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export function createInOrder(): InOrder {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name);
    const running = work();
    const done = Promise.allSettled([before, running]);
    last.set(name, done);
    try {
      await before;
      return await running;
    } finally {
      if (last.get(name) === done) last.delete(name);
    }
  };
}
