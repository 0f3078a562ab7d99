// The token: a string, or a function that is asked whenever a new one is needed.

export type TokenOption = string | (() => string | Promise<string>);

/** Tokens are renewed this long before they end, or at half of what is left where that is later. */
const MARGIN_MS = 30_000;

export class Tokens {
  /** The newest token there is; "" before the first. */
  current = "";
  private refused = false;

  constructor(private source: TokenOption) {}

  /** Whether another token can be had when this one is refused or about to end. */
  get renewable(): boolean {
    return typeof this.source === "function";
  }

  /** The token to connect with: the newest one, as long as it is good for a while. */
  async get(): Promise<string> {
    const end = expiryOf(this.current);
    if (end === undefined || this.refused || end - Date.now() < 2 * MARGIN_MS) return this.fetch();
    return this.current;
  }

  /** Asks for a token; a function is asked each time. */
  async fetch(): Promise<string> {
    const token = typeof this.source === "function" ? await this.source() : this.source;
    this.refused = false;
    return (this.current = token);
  }

  /** Takes note that the server does not take the newest token. */
  refuse(): void {
    this.refused = true;
  }

  /** Replaces the source. */
  replace(source: TokenOption): void {
    this.source = source;
    this.current = "";
  }

  /** How long from now until the newest token should be renewed, in milliseconds; undefined: never. */
  renewIn(): number | undefined {
    const end = this.renewable ? expiryOf(this.current) : undefined;
    if (end === undefined) return undefined;
    const left = end - Date.now();
    return Math.max(0, left - Math.max(MARGIN_MS, left / 10), left / 2);
  }
}

/** When a JWT ends, in milliseconds since 1970; undefined where it does not say or is no JWT. */
export function expiryOf(token: string): number | undefined {
  try {
    const payload = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
