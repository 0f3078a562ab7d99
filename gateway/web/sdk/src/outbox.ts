// What the program has sent and the server has not answered yet. It outlives connections: what is not answered is sent
// again on the next one, which is harmless, because every message has a clientMessageId. Things of one lane (a room's
// messages) go one after another, so that they are stored in the order in which they were sent.
import { BackOff } from "./backoff.js";
import { asChatError, ChatError, isTransient } from "./errors.js";

/** The headers of a RECEIPT. */
export type Receipt = Readonly<Record<string, string>>;

/** Where an outbox sends: a connection. */
export interface Way {
  /** Resolves with the RECEIPT; rejects with the refusal, or with Lost when the connection ended first. */
  send(destination: string, body: string): Promise<Receipt>;
}

/** The connection ended before the answer came. */
export class Lost extends ChatError {
  /** suspect: the server closed because of what it was sent, without saying of which. */
  constructor(readonly suspect: boolean) {
    super("DISCONNECTED", "the connection ended before the server answered");
  }
}

/** How often something may be on its way when the server closes because of what it was sent. */
const MAX_STRIKES = 2;

export interface Order {
  lane: string;
  destination: string;
  body: Record<string, unknown>;
  /** Takes the place of an order at the end of the lane that has not been sent yet; both get the one answer. */
  merge?: (older: Record<string, unknown>) => Record<string, unknown>;
}

interface Entry {
  order: Order;
  way?: Way; // it is on its way, here
  strikes: number;
  promise: Promise<Receipt>;
  resolve(receipt: Receipt): void;
  reject(error: ChatError): void;
}

interface Lane {
  entries: Entry[];
  paused: boolean;
  backOff: BackOff;
}

export class Outbox {
  private readonly lanes = new Map<string, Lane>();
  private way?: Way;
  private count = 0;

  constructor(private readonly limit: number) {}

  /** How many orders have no answer yet. */
  get size(): number {
    return this.count;
  }

  /** Takes an order and resolves with its RECEIPT, however many connections that takes. */
  add(order: Order): Promise<Receipt> {
    const lane = this.lane(order.lane);
    const tail = lane.entries[lane.entries.length - 1];
    if (order.merge && tail && !tail.way) {
      tail.order = { ...order, body: order.merge(tail.order.body) };
      return tail.promise;
    }
    if (this.count >= this.limit) {
      return Promise.reject(new ChatError("QUEUE_FULL", `${this.count} things wait to be sent already: try again later`));
    }
    const entry = newEntry(order);
    lane.entries.push(entry);
    this.count++;
    this.pump(order.lane, lane);
    return entry.promise;
  }

  /** Sends everything that has no answer on this connection; undefined: there is none now. */
  use(way: Way | undefined): void {
    this.way = way;
    for (const [name, lane] of Array.from(this.lanes)) {
      for (const entry of lane.entries) entry.way = undefined;
      this.pump(name, lane);
    }
  }

  /** Rejects everything that has no answer. */
  clear(error: ChatError): void {
    const all = Array.from(this.lanes.values());
    this.lanes.clear();
    this.count = 0;
    for (const lane of all) {
      for (const entry of lane.entries) entry.reject(error);
    }
  }

  private lane(name: string): Lane {
    let lane = this.lanes.get(name);
    if (!lane) {
      lane = { entries: [], paused: false, backOff: new BackOff(500, 10_000) };
      this.lanes.set(name, lane);
    }
    return lane;
  }

  private pump(name: string, lane: Lane): void {
    const entry = lane.entries[0];
    const way = this.way;
    if (!entry) {
      if (!lane.paused && this.lanes.get(name) === lane) this.lanes.delete(name);
      return;
    }
    if (!way || entry.way || lane.paused) return;
    entry.way = way;
    way.send(entry.order.destination, JSON.stringify(entry.order.body)).then(
      (receipt) => this.finish(name, lane, entry, () => entry.resolve(receipt)),
      (cause: unknown) => this.failed(name, lane, entry, way, asChatError(cause)),
    );
  }

  /** An answer counts whichever connection it came by: what is stored is stored. */
  private finish(name: string, lane: Lane, entry: Entry, settle: () => void): void {
    const at = lane.entries.indexOf(entry);
    if (at < 0 || this.lanes.get(name) !== lane) return;
    lane.entries.splice(at, 1);
    lane.backOff.reset();
    this.count--;
    settle();
    this.pump(name, lane);
  }

  private failed(name: string, lane: Lane, entry: Entry, way: Way, error: ChatError): void {
    if (error instanceof Lost && error.suspect && ++entry.strikes >= MAX_STRIKES) {
      const refused = new ChatError("INVALID", "the server closed the connection each time this was sent");
      return this.finish(name, lane, entry, () => entry.reject(refused));
    }
    if (entry.way !== way) return; // it has been sent again since
    entry.way = undefined;
    if (error instanceof Lost) return; // it waits for the next connection
    if (!isTransient(error.code)) return this.finish(name, lane, entry, () => entry.reject(error));
    lane.paused = true;
    setTimeout(() => {
      lane.paused = false;
      this.pump(name, lane);
    }, Math.max(error.retryAfterMs, lane.backOff.next()));
  }
}

function newEntry(order: Order): Entry {
  const entry = { order, strikes: 0 } as Entry;
  entry.promise = new Promise<Receipt>((resolve, reject) => {
    entry.resolve = resolve;
    entry.reject = reject;
  });
  return entry;
}
