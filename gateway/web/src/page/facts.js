// What stands in the inspector about the connection: which server, since when, how often it had to be made again.

import { el } from "./dom.js";
import { locale, onLanguage, t } from "./i18n.js";

export class Facts {
  #reconnects = 0;
  #since = null;
  #tokenEnd = 0;

  constructor() {
    onLanguage(() => this.#show());
    setInterval(() => this.#show(), 30_000);
  }

  // connected takes the SDK's words for a new connection, and when its token ends.
  connected({ server, reconnected }, tokenEnd) {
    this.#since = new Date();
    this.#tokenEnd = tokenEnd;
    if (reconnected) this.#reconnects++;
    else this.#reconnects = 0;
    const { host } = new URL(server, location.href);
    el("fact-server").textContent = host;
    el("state-node").textContent = host;
    this.#show();
  }

  // gone says that there is no connection.
  gone() { el("state-node").textContent = ""; }

  // frame reads what the server says of itself.
  frame(direction, raw) {
    if (direction !== "in" || !raw.startsWith("CONNECTED\n")) return;
    const header = (name) => new RegExp(`^${name}:(.*)$`, "m").exec(raw)?.[1] ?? "–";
    el("fact-software").textContent = header("server");
    el("fact-session").textContent = header("session");
    el("fact-version").textContent = header("version");
  }

  #show() {
    el("fact-reconnects").textContent = String(this.#reconnects);
    if (!this.#since) return;
    el("fact-since").textContent = this.#since.toLocaleTimeString(locale());
    el("fact-token").textContent = this.#tokenEnd ? ending(this.#tokenEnd - Date.now()) : "–";
  }
}

function ending(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return t("over");
  if (minutes < 120) return t("minutes", { n: minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? t("hours", { n: hours }) : t("days", { n: Math.floor(hours / 24) });
}
