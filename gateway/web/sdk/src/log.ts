// The order of one log: every event once, by seq, without holes, whatever comes in whichever order. What a
// subscription left out (GAP) or what is missing for any other reason is read by pages before what follows it; pages
// are the truth, also about what this user may not see.
import { BackOff } from "./backoff.js";
import { asChatError, type ChatError } from "./errors.js";

/** How many events are kept that have come before their turn; what is beyond is read again when its turn comes. */
const KEPT_AHEAD = 2048;

export interface Item {
  seq: number;
}

/** What a log asks for. */
export interface LogPorts<T extends Item> {
  /** Takes the next event in order. */
  deliver(item: T): void;
  /** Reads some of what comes after a seq, in order; what it leaves out in between does not exist for this user. */
  page(afterSeq: number): Promise<T[]>;
  /** Is told what keeps a hole from being filled; whether to try again. */
  failed(error: ChatError): boolean;
}

export class Log<T extends Item> {
  /** The seq of the newest event that was delivered, or before which nothing is wanted; undefined while unknown. */
  last: number | undefined;

  private readonly ahead = new Map<number, T>();
  private known = 0; // there are events up to this seq
  private round = 0; // a fill of an earlier round has no say any more
  private filling = false;
  private readonly backOff = new BackOff(500, 10_000);

  constructor(private readonly ports: LogPorts<T>) {}

  /** Takes an event as it comes. */
  push(item: T): void {
    this.last ??= item.seq - 1;
    if (item.seq <= this.last) return;
    this.known = Math.max(this.known, item.seq);
    if (this.ahead.size < KEPT_AHEAD || item.seq === this.last + 1) this.ahead.set(item.seq, item);
    this.release();
  }

  /** Takes note that there are events up to a seq which will not come by themselves. */
  gap(fromSeq: number, toSeq: number): void {
    this.last ??= fromSeq - 1;
    this.known = Math.max(this.known, toSeq);
    this.release();
  }

  /** Takes the position that a subscription starts from. It means nothing where events have told a newer one. */
  startAt(seq: number): void {
    this.last ??= seq;
  }

  /** Forgets what has not been delivered: it will come again. */
  reset(): void {
    this.round++;
    this.filling = false;
    this.ahead.clear();
    this.known = 0;
  }

  private release(): void {
    for (;;) {
      const item = this.ahead.get(this.last! + 1);
      if (!item) break;
      this.ahead.delete(item.seq);
      this.last = item.seq;
      this.ports.deliver(item);
    }
    if (this.last! < this.known && !this.filling) void this.fill(this.round);
  }

  private async fill(round: number): Promise<void> {
    this.filling = true;
    while (round === this.round && this.last! < this.known) {
      const after = this.last!;
      let page: T[];
      try {
        page = await this.ports.page(after);
      } catch (cause) {
        if (round !== this.round) return;
        if (!(await this.wait(asChatError(cause)))) return this.reset();
        continue;
      }
      for (const item of page) {
        if (round === this.round) this.take(item);
      }
      if (round !== this.round) return;
      if (this.last! > after) this.backOff.reset();
      else await this.pause(this.backOff.next()); // the server knows more events than it shows yet
    }
    if (round === this.round) this.filling = false;
  }

  /** Takes an event of a page. What a page leaves out is hidden from this user, for good: it is no hole. */
  private take(item: T): void {
    this.last = Math.max(this.last!, item.seq - 1);
    this.push(item);
  }

  private async wait(error: ChatError): Promise<boolean> {
    if (!this.ports.failed(error)) return false;
    await this.pause(Math.max(error.retryAfterMs, this.backOff.next()));
    return true;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
