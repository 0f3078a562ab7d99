// Latency and throughput as this page sees them.

import { el } from "./dom.js";
import { onLanguage } from "./i18n.js";

const SAMPLES = 500; // the newest that percentiles are of
const SECONDS = 60; // of the curve
const MESSAGE = /^SEND\ndestination:\/app\/chat\/\d+\/send\n.*"clientMessageId":"(\w+)"/s;

export class Meter {
  #times = { receipt: [], echo: [] };
  #counts = { receipt: 0, echo: 0 };
  #sent = new Map(); // clientMessageId to when it was sent
  #bytes = { in: 0, out: 0 };
  #now = { in: 0, out: 0 }; // frames of this second
  #curve = Array(SECONDS).fill(0);

  constructor() {
    setInterval(() => this.#second(), 1_000);
    onLanguage(() => this.#show());
  }

  // receipt and echo are the two answers to a message; whichever comes second is the end of it. Those that were not
  // sent by this page, or on a connection that is lost, count for nothing.
  receipt(clientMessageId) { this.#took("receipt", clientMessageId); }

  echo(clientMessageId) { this.#took("echo", clientMessageId); }

  // lost forgets what was on its way: how long it will take says nothing about the server.
  lost() { this.#sent.clear(); }

  // frame counts a frame; a message that goes out is timed from here, since it may have waited for its turn.
  frame(direction, text, bytes) {
    this.#now[direction]++;
    this.#bytes[direction] += bytes;
    const id = direction === "out" && MESSAGE.exec(text)?.[1];
    if (id) this.#sent.set(id, { at: performance.now(), left: 2 });
  }

  #took(what, clientMessageId) {
    const sent = this.#sent.get(clientMessageId);
    if (!sent) return;
    if (--sent.left === 0) this.#sent.delete(clientMessageId);
    const times = this.#times[what];
    times.push(performance.now() - sent.at);
    if (times.length > SAMPLES) times.shift();
    this.#counts[what]++;
    this.#show();
  }

  #second() {
    this.#curve = [...this.#curve.slice(1), this.#now.in + this.#now.out];
    el("rate-in").textContent = `${this.#now.in}/s`;
    el("rate-out").textContent = `${this.#now.out}/s`;
    this.#now = { in: 0, out: 0 };
    el("bytes-in").textContent = size(this.#bytes.in);
    el("bytes-out").textContent = size(this.#bytes.out);
    const top = Math.max(10, ...this.#curve);
    const points = this.#curve.map((n, i) => `${(i * 120) / (SECONDS - 1)},${38 - (n / top) * 36}`);
    el("spark").firstElementChild.setAttribute("d", `M0,40L${points.join("L")}L120,40Z`);
  }

  #show() {
    for (const what of ["receipt", "echo"]) {
      const times = this.#times[what];
      const sorted = [...times].sort((a, b) => a - b);
      const at = (part) => (sorted.length ? ms(sorted[Math.ceil(part * sorted.length) - 1]) : "–");
      const cells = el(`to-${what}`).querySelectorAll("td");
      [times.length ? ms(times.at(-1)) : "–", at(0.5), at(0.95), String(this.#counts[what])]
        .forEach((text, i) => { cells[i].textContent = text; });
    }
  }
}

const ms = (n) => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

function size(bytes) {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
