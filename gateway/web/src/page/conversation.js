// What a room holds, as events tell it: messages as they are now, who read how far, what of one's own is on its way.
// It knows no page and no connection.

const SAME_BREATH = 5 * 60_000; // messages of one sender within this time stand together

export class Conversation {
  #items = new Map(); // seq to what the log has there
  #sending = new Map(); // clientMessageId to what is on its way
  #marks = new Map(); // user to {read, delivered}

  // me is the user whose messages are her own; members are the others' ids with hers.
  constructor(me, members) {
    this.me = me;
    this.members = members;
  }

  get first() { return this.#items.size ? Math.min(...this.#items.keys()) : 0; }

  // apply takes an event of the room's log, or a state event of it.
  apply(event) {
    switch (event.event) {
      case "MESSAGE":
        this.#sending.delete(event.clientMessageId);
        this.#put(event.seq, { ...event, kind: "message" });
        break;
      case "EDITED": this.#edit(event); break;
      case "RECALLED": this.#recall(event); break;
      case "MEMBER":
        this.#put(event.seq, { ...event, kind: "member" });
        this.#member(event);
        break;
      case "GAP": this.#put(event.fromSeq, { ...event, seq: event.fromSeq, kind: "gap" }); break;
      case "READ": this.mark(event.userId, { read: event.lastReadSeq }); break;
      case "DELIVERED": this.mark(event.userId, { delivered: event.deliveredSeq }); break;
    }
  }

  // mark moves a member's marks, forward only.
  mark(user, { read = 0, delivered = 0 }) {
    const old = this.#marks.get(user) ?? { read: 0, delivered: 0 };
    this.#marks.set(user, { read: Math.max(old.read, read), delivered: Math.max(old.delivered, delivered) });
  }

  // sending remembers a message of one's own until the message itself has come, or its seq is known.
  sending(clientMessageId, body) {
    this.#sending.set(clientMessageId, {
      ...body, clientMessageId, kind: "message", senderId: this.me, state: "sending",
      sentAt: new Date().toISOString(),
    });
  }

  // stored says that a message of one's own has its place, whether or not the message itself has come.
  stored(clientMessageId, seq) {
    const item = this.#sending.get(clientMessageId);
    if (!item || !this.#sending.delete(clientMessageId)) return;
    this.#put(seq, { ...item, seq, state: undefined });
  }

  failed(clientMessageId, why) {
    const item = this.#sending.get(clientMessageId);
    if (item) Object.assign(item, { state: "failed", why });
  }

  // mine is the newest message of one's own that may be edited or sent again, if there is one.
  mine() {
    return [...this.#items.values()]
      .filter((item) => item.senderId === this.me && item.kind === "message" && !item.recalled)
      .sort((a, b) => b.seq - a.seq)[0];
  }

  // rows is all there is to show, in order: each with the day, if it is the first of one, and whether it begins and
  // ends a run of messages of one sender.
  rows() {
    const all = [...[...this.#items.values()].sort((a, b) => a.seq - b.seq), ...this.#sending.values()];
    return all.map((item, i) => {
      const day = dayOf(item);
      return {
        item,
        day: i === 0 || day !== dayOf(all[i - 1]) ? day : "",
        begins: !together(all[i - 1], item),
        ends: !together(item, all[i + 1]),
        state: item.senderId === this.me && item.kind === "message" ? this.#stateOf(item) : null,
      };
    });
  }

  // stateOf is how far one of one's own messages has come, and to how many of the others.
  #stateOf(item) {
    if (item.state) return { word: item.state, why: item.why };
    const others = this.members.filter((user) => user !== this.me);
    const count = (mark) => others.filter((user) => (mark(this.#marks.get(user)) ?? 0) >= item.seq).length;
    const read = count((m) => m?.read);
    const delivered = count((m) => m && Math.max(m.read, m.delivered));
    const all = others.length;
    const word = all && read === all ? "read" : all && delivered === all ? "delivered" : "stored";
    return { word, read, delivered, all };
  }

  #put(seq, item) {
    const old = this.#items.get(seq);
    this.#items.set(seq, old?.recalled || old?.editedAt ? { ...item, ...old } : item);
  }

  #edit({ targetSeq, content, at, recalled }) {
    const target = this.#items.get(targetSeq);
    if (target && !target.recalled && !recalled) Object.assign(target, { content, editedAt: at });
  }

  #recall({ targetSeq }) {
    const target = this.#items.get(targetSeq);
    if (target) Object.assign(target, { recalled: true, content: undefined, attachment: undefined });
  }

  #member(event) { this.members = membersAfter(this.members, event); }
}

// membersAfter is who is in a room after a MEMBER event; there are changes that are no coming or going.
export function membersAfter(members, { userId, change }) {
  const others = members.filter((user) => user !== userId);
  if (change === "joined") return [...others, userId];
  return ["left", "removed", "banned"].includes(change) ? others : members;
}

const dayOf = (item) => new Date(item.sentAt ?? item.at ?? Date.now()).toDateString();

function together(a, b) {
  return a?.kind === "message" && b?.kind === "message" && a.senderId === b.senderId && dayOf(a) === dayOf(b) &&
    !a.recalled && !b.recalled && Math.abs(new Date(b.sentAt) - new Date(a.sentAt)) < SAME_BREATH;
}
