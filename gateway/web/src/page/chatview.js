// The conversation on the page: its head, its lines, who is typing. It is told what to show and knows no connection.

import { bubble, dayLine } from "./bubble.js";
import { arrange, drawer, el, paintFace } from "./dom.js";
import { locale, t } from "./i18n.js";

const TYPING_FOR = 5_000; // ms for which somebody who typed counts as typing
const AT_END = 60; // px from the end within which the end is kept in sight

export class ChatView {
  #conversation = null;
  #room = null;
  #rooms = null;
  #drawn = new Map(); // key of a line to {print, element}
  #typing = new Map(); // user to timer
  #does;
  #toEnd = true;

  // does: edit(item), recall(item), as bubble wants them.
  constructor(does) {
    this.#does = does;
    this.redraw = drawer(() => this.#draw());
  }

  // show shows a room; without one, that there is none.
  show(room, conversation, rooms) {
    this.#room = room;
    this.#rooms = rooms;
    this.#conversation = conversation;
    this.#drawn.clear();
    this.#toEnd = true;
    for (const user of [...this.#typing.keys()]) this.stopped(user);
    el("messages").replaceChildren();
    el("chat-head").hidden = !room;
    el("send").hidden = !room;
    el("chat-empty").hidden = Boolean(room);
    el("earlier").hidden = true;
    this.redraw();
  }

  // more says whether there is more before the first line.
  more(there) { el("earlier").hidden = !there; }

  // end brings the end into sight, as one who writes expects.
  end() {
    this.#toEnd = true;
    this.redraw();
  }

  typing(user) {
    clearTimeout(this.#typing.get(user));
    this.#typing.set(user, setTimeout(() => this.stopped(user), TYPING_FOR));
    this.#showTyping();
  }

  stopped(user) {
    clearTimeout(this.#typing.get(user));
    if (this.#typing.delete(user)) this.#showTyping();
  }

  // forget makes all lines be drawn anew, in another language perhaps.
  forget() {
    this.#drawn.clear();
    this.#showTyping();
    this.redraw();
  }

  #draw() {
    if (!this.#room || !this.#conversation) return;
    this.#drawHead();
    const scroller = el("scroller");
    const atEnd = this.#toEnd || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END;
    const kept = new Map();
    const lines = [];
    for (const row of this.#conversation.rows()) {
      if (row.day) lines.push(this.#line(kept, `day ${row.day}`, row.day, () => dayLine(row.day)));
      const key = row.item.clientMessageId ? `${row.item.senderId} ${row.item.clientMessageId}` : `#${row.item.seq}`;
      lines.push(this.#line(kept, key, JSON.stringify(row), () => bubble(row, this.#does)));
    }
    this.#drawn = kept;
    arrange(el("messages"), lines);
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    this.#toEnd = false;
  }

  // line makes an element again only when what it shows has changed.
  #line(kept, key, print, make) {
    const old = this.#drawn.get(key);
    const element = old?.print === print ? old.element : make();
    kept.set(key, { print, element });
    return element;
  }

  #drawHead() {
    const rooms = this.#rooms;
    const title = rooms.title(this.#room) || t("roomN", { id: this.#room.id });
    const partner = rooms.partner(this.#room);
    paintFace(el("room-face"), title, partner && rooms.statusOf(partner));
    el("room-name").textContent = title;
    el("room-about").textContent = partner ? this.#aboutPartner(partner) : this.#aboutMembers();
  }

  #aboutPartner(user) {
    const status = this.#rooms.statusOf(user);
    const seen = this.#rooms.lastSeen(user);
    if (status !== "offline" || !seen) return t(`status_${status}`);
    const at = new Date(seen).toLocaleString(locale(), { dateStyle: "short", timeStyle: "short" });
    return `${t("status_offline")} · ${t("lastSeen", { at })}`;
  }

  #aboutMembers() {
    const members = this.#conversation.members;
    const there = members.filter((user) => ["online", "away", "busy"].includes(this.#rooms.statusOf(user)));
    return `${t("members", { n: members.length })} · ${there.length} ${t("status_online")}`;
  }

  #showTyping() {
    const who = [...this.#typing.keys()].join(", ");
    el("typing").textContent = who && t(this.#typing.size > 1 ? "areTyping" : "isTyping", { who });
  }
}
