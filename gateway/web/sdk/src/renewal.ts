// Renews the token of a connection in place, before it ends.
import { BackOff } from "./backoff.js";
import { asChatError, type ChatError } from "./errors.js";
import { expiryOf, type Tokens } from "./token.js";

/** Timers count in 31 bits; longer waits are cut into pieces. */
const LONGEST_MS = 12 * 60 * 60 * 1000;

export interface RenewalPorts {
  /** Tells the server; rejects when it does not take the token. */
  send(token: string): Promise<void>;
  renewed(expiresAt: Date | undefined): void;
  failed(error: ChatError): void;
}

export class Renewal {
  private timer?: ReturnType<typeof setTimeout>;
  private readonly backOff = new BackOff(1_000, 30_000);

  constructor(
    private readonly tokens: Tokens,
    private readonly ports: RenewalPorts,
  ) {}

  /** Begins, for the token that the connection was opened with. */
  start(): void {
    this.stop();
    this.backOff.reset();
    this.schedule(this.tokens.renewIn());
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Renews now. */
  async now(): Promise<void> {
    this.stop();
    await this.ports.send(await this.tokens.fetch());
    const end = expiryOf(this.tokens.current);
    this.ports.renewed(end === undefined ? undefined : new Date(end));
    this.backOff.reset();
    this.schedule(this.tokens.renewIn());
  }

  private schedule(ms: number | undefined): void {
    if (ms === undefined) return;
    this.timer = setTimeout(
      () => {
        if (ms > LONGEST_MS) this.schedule(this.tokens.renewIn());
        else this.now().catch((cause: unknown) => this.again(asChatError(cause)));
      },
      Math.min(ms, LONGEST_MS),
    );
  }

  private again(error: ChatError): void {
    if (error.code === "DISCONNECTED") return; // the next connection begins anew
    this.ports.failed(error);
    this.schedule(1_000 + this.backOff.next());
  }
}
