// What is on the page. Whatever users wrote becomes text nodes and nothing else.

export const el = (id) => document.getElementById(id);

const MAX_FRAMES = 500;

function node(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children); // strings become text nodes
  return made;
}

// grow changes a list; whoever has read it to its end sees the end again.
function grow(list, change) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  change();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const append = (list, item) => grow(list, () => list.append(item));

export function showState(state, text) {
  el("state").dataset.state = state;
  el("state").textContent = text;
  const live = state !== "off";
  el("connect").disabled = live;
  el("disconnect").disabled = !live;
  if (state !== "on") enableSending(false);
}

export function enableSending(on) {
  el("text").disabled = !on;
  el("send-button").disabled = !on;
  if (!on) return;
  el("text").closest(".panel").scrollIntoView({ block: "nearest" }); // on a narrow screen it stands below the forms
  el("text").focus({ preventScroll: true });
}

export function showNotice(text) {
  el("notice").textContent = text;
  el("notice").hidden = !text;
}

export class Messages {
  #bySeq = new Set();
  #sent = new Map(); // clientMessageId to its item, until the message itself has come
  #lastRead = new Map();

  clear() {
    this.#bySeq.clear();
    this.#sent.clear();
    this.#lastRead.clear();
    el("messages").replaceChildren();
    el("activity").textContent = "";
  }

  // sending shows a message of one's own at once.
  sending(clientMessageId, content) {
    const item = node("li", "mine", content, node("span", "meta", "sending…"));
    this.#sent.set(clientMessageId, item);
    append(el("messages"), item);
    el("messages").scrollTop = el("messages").scrollHeight;
  }

  stored({ clientMessageId, seq }) {
    const item = this.#sent.get(clientMessageId);
    if (item) item.lastChild.textContent = `stored as #${seq}`;
  }

  failed(clientMessageId, text) {
    const item = this.#sent.get(clientMessageId);
    if (!item) return false;
    grow(el("messages"), () => {
      item.classList.add("failed");
      item.lastChild.textContent = text;
    });
    return true;
  }

  show(event, me) {
    if (event.seq) {
      if (this.#bySeq.has(event.seq)) return;
      this.#bySeq.add(event.seq);
    }
    switch (event.event) {
      case "MESSAGE": return this.#message(event, me);
      case "MEMBER": return this.#line(`${event.userId} ${event.change === "removed" ? "was removed" : event.change}`);
      case "GAP": return this.#line(`messages #${event.fromSeq} to #${event.toSeq} are not shown here`);
      case "EDITED": return this.#line(`message #${event.targetSeq} now reads: ${event.content}`);
      case "RECALLED": return this.#line(`message #${event.targetSeq} was recalled`);
      case "READ": return this.#read(event, me);
      case "TYPING": return event.userId !== me && this.#activity(`${event.userId} is typing…`);
      case "USER_STATUS": return event.userId !== me && this.#activity(`${event.userId} is ${event.status}`);
      case "PRESENCE": return this.#activity(`here: ${event.online.map((u) => u.userId).join(", ") || "nobody else"}`);
      case "DRAIN": return this.#line("this server is leaving; the connection will move to another one");
    }
  }

  #message(event, me) {
    const mine = event.senderId === me;
    const at = new Date(event.sentAt).toLocaleTimeString();
    const what = event.content || `[${event.type}]`;
    const meta = node("span", "meta", `${mine ? "" : `${event.senderId} · `}#${event.seq} · ${at}`);
    grow(el("messages"), () => {
      this.#sent.get(event.clientMessageId)?.remove();
      el("messages").append(node("li", mine ? "mine" : "", what, meta));
    });
    this.#sent.delete(event.clientMessageId);
  }

  #read(event, me) {
    if (event.userId === me || this.#lastRead.get(event.userId) === event.lastReadSeq) return;
    this.#lastRead.set(event.userId, event.lastReadSeq);
    this.#activity(`${event.userId} has read up to #${event.lastReadSeq}`);
  }

  #line(text) { append(el("messages"), node("li", "line", text)); }

  #activity(text) { el("activity").textContent = text; }
}

// FrameLog shows what goes over the socket. Tokens are never shown.
export class FrameLog {
  add(direction, raw) {
    if (!el("log-on").checked) return;
    const beat = /^[\r\n]+$/.test(raw);
    const text = beat ? "(heart-beat)" : clean(raw);
    const head = `${direction === "out" ? "→" : "←"} `;
    const item = node("li", direction, node("time", "", new Date().toLocaleTimeString()), ` ${head}${text}`);
    item.dataset.beat = beat ? "1" : "";
    this.#filter(item);
    append(el("frames"), item);
    while (el("frames").childElementCount > MAX_FRAMES) el("frames").firstElementChild.remove();
  }

  refilter() {
    for (const item of el("frames").children) this.#filter(item);
  }

  clear() { el("frames").replaceChildren(); }

  #filter(item) {
    const wanted = el("log-filter").value.toLowerCase();
    item.hidden = (item.dataset.beat && !el("log-beats").checked) || !item.textContent.toLowerCase().includes(wanted);
  }
}

function clean(raw) {
  return raw
    .replace(/^(Authorization|token|passcode):.*$/gim, "$1:(hidden)")
    .replaceAll("\0", "^@")
    .trimEnd();
}
