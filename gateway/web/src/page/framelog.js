// The frame log: what went over the socket, newest last, by direction, command and text. Tokens are never shown.

import { drawer, el, node } from "./dom.js";
import { locale, t } from "./i18n.js";
import { notice } from "./notice.js";

const MAX = 500;
const SHOWN = 4_000; // characters of one frame

export class FrameLog {
  #all = []; // {direction, command, text, at, beat, element}
  #commands = new Set();
  #waiting = [];
  #paused = false;

  constructor() {
    this.redraw = drawer(() => this.#draw());
    for (const id of ["frame-way", "frame-command", "frame-text", "frame-beats"]) {
      el(id).addEventListener("input", () => this.#refilter());
    }
    el("frame-pause").addEventListener("click", () => this.#pause(!this.#paused));
    el("frame-clear").addEventListener("click", () => this.#clear());
    el("frame-copy").addEventListener("click", () => this.#copy());
  }

  // add takes a frame as it went over the socket.
  add(direction, raw, beat) {
    const text = beat ? "♥" : clean(raw);
    const command = beat ? "" : text.slice(0, text.indexOf("\n"));
    this.#waiting.push({ direction, command, text, beat, at: new Date() });
    if (this.#waiting.length > MAX) this.#waiting.shift();
    if (!this.#paused) this.redraw();
  }

  forget() {
    this.#count();
  }

  #draw() {
    if (this.#paused || this.#waiting.length === 0) return;
    const list = el("frames");
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    for (const frame of this.#waiting.splice(0)) {
      this.#know(frame.command);
      frame.element = this.#make(frame);
      this.#all.push(frame);
      list.append(frame.element);
    }
    for (const old of this.#all.splice(0, Math.max(0, this.#all.length - MAX))) old.element.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
    this.#count();
  }

  #make(frame) {
    const { direction, command, text, at, beat } = frame;
    const made = node("li", direction);
    const time = node("time", "", at.toLocaleTimeString(locale(), { hour12: false }));
    const way = node("span", "way", direction === "out" ? "→" : "←");
    const head = node("span", "frame-head", time, way, node("b", "", command || text));
    made.append(head);
    if (!beat) {
      const rest = text.slice(command.length + 1);
      made.append(node("pre", "", rest.length > SHOWN ? `${rest.slice(0, SHOWN)}…` : rest));
    }
    made.hidden = !this.#wanted(frame);
    return made;
  }

  #know(command) {
    if (!command || this.#commands.has(command)) return;
    this.#commands.add(command);
    const option = node("option", "", command);
    option.value = command;
    el("frame-command").append(option);
  }

  #wanted({ direction, command, text, beat }) {
    if (beat && !el("frame-beats").checked) return false;
    const [way, only, part] = ["frame-way", "frame-command", "frame-text"].map((id) => el(id).value);
    if (way && way !== direction || only && only !== command) return false;
    return text.toLowerCase().includes(part.toLowerCase());
  }

  #refilter() {
    for (const frame of this.#all) frame.element.hidden = !this.#wanted(frame);
    this.#count();
  }

  #count() {
    const shown = this.#all.filter((frame) => !frame.element.hidden).length;
    el("frame-count").textContent = t("framesShown", { n: shown, all: this.#all.length });
  }

  #pause(paused) {
    this.#paused = paused;
    el("frame-pause").setAttribute("aria-pressed", String(paused));
    this.redraw();
  }

  #clear() {
    this.#all = [];
    this.#waiting = [];
    el("frames").replaceChildren();
    this.#count();
  }

  // copy puts the frames that are shown on the clipboard; where the browser has none (plain http on another host), it
  // marks them so that a person can.
  async #copy() {
    const shown = this.#all.filter((frame) => !frame.element.hidden);
    const way = { out: ">>>", in: "<<<" };
    const lines = shown.map(({ direction, text, at }) => `${at.toISOString()} ${way[direction]} ${text}`);
    try {
      await navigator.clipboard.writeText(lines.join("\n\n"));
      notice(t("copied"), "news");
    } catch {
      getSelection().selectAllChildren(el("frames"));
    }
  }
}

// clean hides tokens, wherever they stand, and shows the NUL that ends a frame.
function clean(raw) {
  return raw
    .replace(/^(Authorization|X-Authorization|token|passcode):.*$/gim, "$1:(hidden)")
    .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, "(hidden)")
    .replaceAll("\0", "")
    .trimEnd();
}
