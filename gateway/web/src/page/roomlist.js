// The user's rooms, as REST lists them and events change them. It knows no page and no connection.

import { membersAfter } from "./conversation.js";

export class RoomList {
  #rooms = new Map(); // id to what is known of it
  #statuses = new Map(); // user to {status, at}

  constructor(me) { this.me = me; }

  // replace takes the answer of GET /api/v1/chat-rooms. What events have told since the request stays.
  replace(summaries) {
    const old = this.#rooms;
    this.#rooms = new Map();
    for (const summary of summaries) {
      const room = this.#toRoom(summary);
      const known = old.get(room.id);
      if (known && summary.lastEvent?.event !== "MESSAGE") room.last = known.last ?? room.last;
      this.#rooms.set(room.id, known && known.headSeq > room.headSeq ? { ...known, name: room.name } : room);
      for (const { userId, status, lastSeenAt } of summary.presence ?? []) this.status(userId, status, lastSeenAt);
    }
  }

  // add puts in a room that has just been made or found.
  add(room) {
    const id = room.chatRoomId;
    if (!this.#rooms.has(id)) this.#rooms.set(id, this.#toRoom({ room, headSeq: 0, unreadCount: 0 }));
  }

  remove(id) { this.#rooms.delete(id); }

  get(id) { return this.#rooms.get(id); }

  // hear takes an event of any room; open says that the user sees this one. It returns false for a room that is
  // unknown: the list has to be asked for again.
  hear(event, open) {
    const room = this.#rooms.get(event.chatRoomId);
    if (!room) return false;
    if (event.event === "READ" && event.userId === this.me) room.unread = 0;
    if (event.event === "MEMBER") room.members = membersAfter(room.members, event);
    if (room.last && room.last.seq === event.targetSeq) {
      if (event.event === "RECALLED") room.last = { ...room.last, recalled: true };
      if (event.event === "EDITED") room.last = { ...room.last, content: event.content };
    }
    if (!event.seq || event.seq <= room.headSeq) return true;
    room.headSeq = event.seq;
    room.at = event.sentAt ?? event.at ?? room.at;
    if (event.event === "MESSAGE") {
      room.last = event;
      if (event.senderId !== this.me && !open) room.unread++;
    }
    return true;
  }

  // read says that the user has read all of a room.
  read(id) {
    const room = this.#rooms.get(id);
    if (room) room.unread = 0;
  }

  // presence takes a snapshot: who of the room is online; the others are not.
  presence({ chatRoomId, online, stale, truncated }) {
    for (const { userId, status } of online) this.status(userId, status);
    if (stale || truncated) return;
    const there = new Set(online.map(({ userId }) => userId));
    for (const user of this.get(chatRoomId)?.members ?? []) if (!there.has(user)) this.status(user, "offline");
  }

  status(user, status, lastSeenAt) {
    this.#statuses.set(user, { status, lastSeenAt: lastSeenAt ?? this.#statuses.get(user)?.lastSeenAt });
  }

  statusOf(user) { return this.#statuses.get(user)?.status ?? "unknown"; }

  lastSeen(user) { return this.#statuses.get(user)?.lastSeenAt; }

  get unread() {
    let sum = 0;
    for (const room of this.#rooms.values()) sum += room.unread;
    return sum;
  }

  // rows is the list to show: the room with the newest event first, those only whose name or members have the text in
  // them.
  rows(text = "") {
    const wanted = text.toLowerCase();
    return [...this.#rooms.values()]
      .filter((room) => [room.id, room.name, ...room.members].some((word) => word.toLowerCase().includes(wanted)))
      .sort((a, b) => (b.at ?? "").localeCompare(a.at ?? "") || Number(b.id) - Number(a.id));
  }

  // partner is the other one of a room of two.
  partner(room) {
    const others = room.members.filter((user) => user !== this.me);
    return others.length === 1 ? others[0] : "";
  }

  // title is the room's name, or who is in it.
  title(room) {
    return room.name || room.members.filter((user) => user !== this.me).join(", ");
  }

  #toRoom({ room, lastEvent, headSeq, unreadCount }) {
    return {
      id: room.chatRoomId, name: room.name ?? "", members: room.memberIds ?? [], direct: Boolean(room.direct),
      last: lastOf(lastEvent), headSeq: headSeq ?? 0, unread: unreadCount ?? 0,
      at: lastEvent?.sentAt ?? lastEvent?.at ?? room.createdAt,
    };
  }
}

// lastOf is what the list shows of a room's newest event, as if it were a message.
function lastOf(event) {
  if (event?.event === "EDITED") return { ...event, type: "TEXT", seq: event.targetSeq };
  if (event?.event === "RECALLED") return { ...event, recalled: true, seq: event.targetSeq };
  return event?.event === "MESSAGE" ? event : undefined;
}
