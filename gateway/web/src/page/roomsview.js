// The list of rooms on the page: who, the last message, how many are unread, who is there.

import { arrange, drawer, el, face, node } from "./dom.js";
import { locale, t } from "./i18n.js";

export class RoomsView {
  #rooms = null;
  #open = "";
  #choose;
  #drawn = new Map();

  // choose is called with the id of a room that a person wants to see.
  constructor(choose) {
    this.#choose = choose;
    this.redraw = drawer(() => this.#draw());
    el("room-filter").addEventListener("input", this.redraw);
  }

  show(rooms) {
    this.#rooms = rooms;
    this.redraw();
  }

  open(id) {
    this.#open = id;
    this.redraw();
  }

  forget() {
    this.#drawn.clear();
    this.redraw();
  }

  // step is the room so many below the open one in the list, or undefined at its ends.
  step(by) {
    const rows = this.#rooms?.rows(el("room-filter").value.trim()) ?? [];
    return rows[rows.findIndex(({ id }) => id === this.#open) + by]?.id;
  }

  #draw() {
    const rows = this.#rooms?.rows(el("room-filter").value.trim()) ?? [];
    const kept = new Map();
    arrange(el("rooms"), rows.map((room) => {
      const row = this.#row(room);
      const print = JSON.stringify(row);
      const old = this.#drawn.get(room.id);
      const element = old?.print === print ? old.element : this.#make(room.id, row);
      kept.set(room.id, { print, element });
      return element;
    }));
    this.#drawn = kept;
    el("rooms-empty").hidden = rows.length > 0;
    const unread = this.#rooms?.unread ?? 0;
    document.title = unread ? `(${unread}) Fliliy Chat` : "Fliliy Chat";
  }

  #row(room) {
    const partner = this.#rooms.partner(room);
    return {
      title: this.#rooms.title(room) || t("roomN", { id: room.id }),
      status: partner && this.#rooms.statusOf(partner),
      last: room.last ? this.#preview(room.last, partner) : "",
      at: room.at ? shortTime(room.at) : "",
      unread: room.unread,
      open: room.id === this.#open,
    };
  }

  #preview(last, partner) {
    const mine = last.senderId === this.#rooms.me;
    if (last.recalled) return mine ? t("recalledMine") : t("recalled", { who: last.senderId });
    const what = last.type === "TEXT" || last.content ? last.content : t(last.type === "VOICE" ? "voice" : "image");
    if (mine) return `${t("you")}: ${what}`;
    return partner ? what : `${last.senderId}: ${what}`;
  }

  #make(id, { title, status, last, at, unread, open }) {
    const top = node("span", "room-top", node("bdi", "room-name", title), node("span", "room-at", at));
    const below = node("span", "room-below", node("bdi", "room-last", last));
    if (unread) {
      const badge = node("span", "badge", unread > 99 ? "99+" : String(unread));
      badge.setAttribute("aria-label", t("unread", { n: unread }));
      badge.setAttribute("role", "img");
      below.append(badge);
    }
    const picture = face(title, status);
    const made = node("button", "room", picture, node("span", "room-text", top, below));
    if (status) made.append(node("span", "offscreen", t(`status_${status}`)));
    made.type = "button";
    made.dataset.room = id;
    if (open) made.setAttribute("aria-current", "true");
    made.addEventListener("click", () => this.#choose(id));
    return node("li", "", made);
  }
}

function shortTime(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today
    ? date.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString(locale(), { month: "short", day: "numeric" });
}
