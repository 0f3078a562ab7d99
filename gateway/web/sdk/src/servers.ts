// Where the servers are: one address as people write it, or a list of them, tried in turn.
import { ChatError } from "./errors.js";

export interface Server {
  /** As the program wrote it. */
  name: string;
  /** Before /api/v1, without a slash at the end. */
  http: string;
  /** The WebSocket's address; SockJS has the same one with http. */
  ws: string;
}

/** Reads http(s):// or ws(s)://host[:port][/path][/ws]. */
export function parseServer(name: string): Server {
  const match = /^(?:(https?|wss?):)\/\/([^/?#\s]+)([^?#\s]*)$/i.exec(name.trim());
  if (!match) {
    throw new ChatError("INVALID", `serverUrl has to be like https://chat.example.com, and "${name}" is not`);
  }
  const secure = /^(https|wss)$/i.test(match[1]!) ? "s" : "";
  const rest = match[2]! + match[3]!.replace(/\/+$/, "").replace(/\/ws$/, "");
  return { name, http: `http${secure}://${rest}`, ws: `ws${secure}://${rest}/ws` };
}

export class Servers {
  private readonly all: Server[];
  private at = 0;

  constructor(urls: string | readonly string[] | undefined) {
    const own = typeof location === "object" && /^http/.test(location.origin) ? [location.origin] : [];
    const names = urls === undefined || urls.length === 0 ? own : typeof urls === "string" ? [urls] : urls;
    if (names.length === 0) throw new ChatError("INVALID", "serverUrl is missing: name at least one server");
    this.all = names.map(parseServer);
  }

  get count(): number {
    return this.all.length;
  }

  get current(): Server {
    return this.all[this.at]!;
  }

  /** Goes on to the next one of the list, and from the last to the first. */
  advance(): void {
    this.at = (this.at + 1) % this.all.length;
  }
}
