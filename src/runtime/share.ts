/**
 * How much of a model each tenant has had. Start-time fair queueing (Goyal, Vin, Cheng 1996), with several seats as in
 * Jin, Chase, Kaur 2004. The cost is time in turns; it counts while they run, since nobody knows how long an answer gets.
 */
interface Account {
  /** ms of turns up to `since`, on the scale of the virtual time. */
  servedMs: number;
  since: number;
  waiting: number;
  running: number;
}

/** The accounts of one class of requests on one model. */
export class Shares {
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();
  /** What a tenant that was away has had by now: idle time is no credit. Never runs backwards. */
  #virtualMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Nothing is left to remember. */
  get empty(): boolean {
    return this.#accounts.size === 0;
  }

  /** A request begins to wait. */
  wait(tenant: string): void {
    const account = this.#accounts.get(tenant) ?? { servedMs: 0, since: 0, waiting: 0, running: 0 };
    if (account.waiting === 0) {
      this.#advance();
      this.#settle(account, this.#virtualMs);
      this.#accounts.set(tenant, account);
    }
    account.waiting++;
  }

  /** One that waited has left without a turn. */
  leave(tenant: string): void {
    const account = this.#accounts.get(tenant);
    if (!account) return;
    account.waiting--;
    this.#forget();
  }

  /** One that waited has its turn. */
  begin(tenant: string): void {
    const account = this.#accounts.get(tenant);
    if (!account) return;
    // The time counts up to this turn, even where it was the last that waited.
    this.#advance();
    this.#settle(account);
    account.waiting--;
    account.running++;
  }

  /** A turn has ended. */
  end(tenant: string): void {
    const account = this.#accounts.get(tenant);
    if (!account) return;
    this.#settle(account);
    account.running--;
    this.#forget();
  }

  /** Negative: the first has had less. Of equals the one with fewer turns running has. */
  compare(first: string, second: string): number {
    const [a, b] = [this.#accounts.get(first), this.#accounts.get(second)];
    if (first === second || !a || !b) return 0;
    return this.#servedMs(a) - this.#servedMs(b) || a.running - b.running;
  }

  #servedMs({ servedMs, since, running }: Account): number {
    return servedMs + running * (this.#now() - since);
  }

  #settle(account: Account, leastMs = 0): void {
    account.servedMs = Math.max(this.#servedMs(account), leastMs);
    account.since = this.#now();
  }

  /** The virtual time is what the tenant that is next has had. While nobody waits, nobody is kept from anything. */
  #advance(): void {
    let least = Infinity;
    let most = this.#virtualMs;
    for (const account of this.#accounts.values()) {
      const servedMs = this.#servedMs(account);
      most = Math.max(most, servedMs);
      if (account.waiting > 0) least = Math.min(least, servedMs);
    }
    this.#virtualMs = least === Infinity ? most : Math.max(this.#virtualMs, least);
  }

  /** An account that is idle and has had no more than the virtual time tells nothing. */
  #forget(): void {
    this.#advance();
    for (const [tenant, { waiting, running, servedMs }] of this.#accounts) {
      if (waiting + running === 0 && servedMs <= this.#virtualMs) this.#accounts.delete(tenant);
    }
  }
}
