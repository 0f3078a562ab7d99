// One line of a conversation as an element: a day, a message, somebody coming or going, a hole. Everything that users
// wrote is text; addresses of pictures and recordings are shown, never opened.

import { button, face, icon, node } from "./dom.js";
import { locale, t } from "./i18n.js";

// CHANGES of members that there are words for; the server may know more.
const CHANGES = new Set(["joined", "left", "removed", "muted", "unmuted", "banned", "unbanned"]);

// dayLine is the line above the first message of a day.
export function dayLine(day) {
  const line = node("li", "day", node("span", "", dayName(day)));
  return line;
}

// bubble shows a row of Conversation.rows. does holds what can be done: edit(item), recall(item).
export function bubble({ item, begins, ends, state }, does) {
  if (item.kind === "member") {
    return plain(t(CHANGES.has(item.change) ? item.change : "changed", { who: item.userId, what: item.change }));
  }
  if (item.kind === "gap") return plain(t("gap", { n: item.toSeq - item.fromSeq + 1 }));
  if (item.recalled) return plain(state ? t("recalledMine") : t("recalled", { who: item.senderId }));
  if (item.type === "SYSTEM") return plain(item.content);
  const mine = Boolean(state);
  const made = node("li", `message${mine ? " mine" : ""}${begins ? " begins" : ""}${ends ? " ends" : ""}`);
  if (state?.word === "failed") made.classList.add("failed");
  made.dataset.seq = item.seq ?? "";
  if (!mine) made.append(ends ? face(item.senderId) : node("span", "face none"));
  const body = node("div", "bubble");
  if (begins && !mine) {
    const sender = node("b", "sender", item.senderId);
    body.append(sender);
  }
  body.append(...contentOf(item), meta(item, state));
  made.append(body);
  if (mine && item.seq) made.append(actions(item, does));
  return made;
}

const plain = (text) => node("li", "line", node("bdi", "", text));

// contentOf shows a text, or a card for what is no text. dir=auto and bdi keep what turns the direction of writing
// inside.
function contentOf(item) {
  const parts = [];
  const { attachment, type } = item;
  const other = type !== "TEXT" || attachment;
  if (other) parts.push(card(item));
  const said = attachment?.caption ?? (other && (!attachment || item.content === attachment.url) ? "" : item.content);
  if (said) {
    const text = node("p", "content", String(said));
    text.dir = "auto";
    parts.push(text);
  }
  return parts;
}

const CARDS = { IMAGE: ["image", "image"], VOICE: ["voice", "voice"] };

function card({ type, attachment, content }) {
  const [picture, word] = CARDS[type] ?? ["file", "file"];
  const address = attachment?.url ?? attachment?.name ?? (attachment ? JSON.stringify(attachment) : content);
  const seconds = attachment?.durationMs ? ` · ${Math.round(attachment.durationMs / 1000)} s` : "";
  const where = node("bdi", "address", String(address));
  return node("div", "card", icon(picture), node("div", "", node("b", "", t(word) + seconds), where));
}

// meta is the small line below: time, edited, how far it has come.
function meta(item, state) {
  const at = new Date(item.sentAt);
  const time = node("time", "", at.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = item.sentAt;
  if (item.seq) time.title = `#${item.seq} · ${at.toLocaleString(locale())}`;
  return node("div", "meta", item.editedAt && node("span", "edited", t("edited")), time, state && ticks(item, state));
}

const TICKS = { sending: "clock", failed: "bang", stored: "tick", delivered: "ticks", read: "ticks" };

function ticks(item, state) {
  const made = node("span", "ticks", icon(TICKS[state.word], tickText(item, state)));
  made.dataset.state = state.word;
  made.title = tickText(item, state);
  if (state.word === "failed") made.append(node("span", "why", tickText(item, state)));
  return made;
}

function tickText(item, { word, why, read, delivered, all }) {
  if (word === "sending") return t("waiting");
  if (word === "failed") return t("failed", { why });
  if (all > 1 && read > 0 && read < all) return t("readBy", { n: read, all });
  if (all > 1 && delivered > 0 && delivered < all) return t("deliveredTo", { n: delivered, all });
  return word === "stored" ? t("stored", { seq: item.seq }) : t(word);
}

function actions(item, does) {
  const made = node("div", "actions");
  if (item.type === "TEXT") made.append(button("tool", "edit", t("edit"), () => does.edit(item)));
  made.append(button("tool", "recall", t("recall"), () => does.recall(item)));
  return made;
}

function dayName(day) {
  const today = new Date();
  const before = new Date(today);
  before.setDate(today.getDate() - 1);
  if (day === today.toDateString()) return t("today");
  if (day === before.toDateString()) return t("yesterday");
  const date = new Date(day);
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(locale(), { weekday: "short", month: "short", day: "numeric", year });
}
