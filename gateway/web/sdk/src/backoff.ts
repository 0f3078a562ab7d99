// Full jitter: a random time up to a bound that doubles. Clients that lost the same server do not come back together.

export class BackOff {
  private failures = 0;

  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
  ) {}

  /** How often next() was called since the last reset(). */
  get attempts(): number {
    return this.failures;
  }

  /** The milliseconds to wait before the next attempt. */
  next(): number {
    const bound = Math.min(this.maxMs, this.minMs * 2 ** Math.min(this.failures, 30));
    this.failures++;
    return Math.round(Math.random() * bound);
  }

  reset(): void {
    this.failures = 0;
  }
}
