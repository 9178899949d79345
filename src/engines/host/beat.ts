/** Something that is done again and again as long as there is work; without work there is no timer. */
export interface Beat {
  /** A piece of work begins. */
  begin(): void;
  /** And ends. */
  end(): void;
}

export function createBeat(action: () => void, periodMs: number): Beat {
  let works = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    begin() {
      if (works++ === 0) timer = setInterval(action, periodMs);
    },
    end() {
      if (--works === 0) clearInterval(timer);
    },
  };
}
