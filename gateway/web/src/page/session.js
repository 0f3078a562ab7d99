// One user's stay on a server: her rooms, the one that is open, and what she does in it. It joins the SDK, REST and
// what is known of rooms; the page is behind `show`, so that nothing here touches an element.

import { FliliyWebSocketClient } from "../../sdk/src/public.ts";
import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { t } from "./i18n.js";
import { RoomList } from "./roomlist.js";

const HISTORY = 50;
const REFRESH = 20_000; // ms between two looks at the list of rooms: only there stands who of the others is online

export class Session {
  rooms = null;
  open = null; // {room, conversation, subscribed}
  #client;
  #api;
  #tokens;
  #meter;
  #show;
  #timer = 0;
  #turn = 0; // counts rooms that were opened: what an older one still waits for is void

  // show: state(word, key, values), rooms(), room(open), conversation(), typing(user), stopped(user), more(there),
  // notice(text, kind), connected(details).
  constructor({ servers, tokens, tap, meter, show }) {
    this.#tokens = tokens;
    this.#meter = meter;
    this.#show = show;
    this.#api = new Api(servers, () => tokens.get());
    this.#client = new FliliyWebSocketClient({
      serverUrl: servers,
      jwtToken: () => tokens.get(),
      autoReconnect: true,
      webSocketFactory: (url, protocols) => tap.open(url, protocols),
    });
    this.#listen();
  }

  get me() { return this.rooms?.me ?? ""; }

  // start connects and resolves when the rooms are there.
  async start() {
    this.#show.state("wait", "connecting");
    await this.#tokens.get(); // so that a bad one is a clear error at once
    await this.#client.connect();
    await this.refresh();
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible") this.refresh().catch(() => {}); // the next look will do
    }, REFRESH);
  }

  async stop() {
    clearInterval(this.#timer);
    this.#turn++;
    await this.#client.disconnect();
    this.#show.state("off", "offline");
  }

  async refresh() {
    this.rooms.replace((await this.#api.rooms()).rooms ?? []);
    if (this.open) this.rooms.read(this.open.room.id);
    this.#show.rooms();
    this.#show.conversation();
  }

  // createRoom makes a room or finds the one there is, and resolves with its id.
  async createRoom(members, name) {
    const room = await this.#api.createRoom(members, name);
    this.rooms.add(room);
    this.#show.rooms();
    return room.chatRoomId;
  }

  // openRoom shows a room: what was written last, then what comes.
  async openRoom(id) {
    const turn = ++this.#turn;
    const asked = [this.#api.history(id, HISTORY), this.#api.members(id)];
    const [{ events, headSeq }, { members }] = await Promise.all(asked);
    if (turn !== this.#turn) return;
    if (!this.rooms.get(id)) await this.refresh();
    const room = this.rooms.get(id) ?? { id, name: "", members: members.map((m) => m.userId), unread: 0 };
    this.close();
    this.#turn = turn;
    const conversation = new Conversation(this.me, members.map((member) => member.userId));
    for (const member of members) {
      conversation.mark(member.userId, { read: member.lastReadSeq, delivered: member.lastDeliveredSeq });
    }
    for (const event of events) conversation.apply(event);
    this.open = { room, conversation, subscribed: false };
    this.#show.room(this.open);
    this.#show.more(events.length >= HISTORY);
    this.rooms.read(id);
    await this.subscribe(headSeq);
  }

  // close leaves the room's topic; the user stays a member.
  close() {
    this.#turn++;
    if (this.open?.subscribed) this.unsubscribe();
    this.open = null;
  }

  async subscribe(lastSeq) {
    const open = this.#opened();
    open.subscribed = true;
    await this.#client.subscribeToChatRoom(open.room.id, lastSeq === undefined ? {} : { lastSeq });
    this.#show.rooms();
  }

  unsubscribe() {
    const open = this.#opened();
    open.subscribed = false;
    return this.#client.unsubscribeFromChatRoom(open.room.id);
  }

  async earlier() {
    const { room, conversation } = this.#opened();
    const { events } = await this.#api.history(room.id, HISTORY, conversation.first);
    for (const event of events) conversation.apply(event);
    this.#show.more(events.length >= HISTORY);
    this.#show.conversation();
  }

  // send shows a message at once and sends it; a message that is refused says so in its place. Pictures and
  // recordings have an attachment with a url, and perhaps a caption.
  async send(type, content, attachment) {
    const { room, conversation } = this.#opened();
    const clientMessageId = newId();
    const message = { type, content, attachment, clientMessageId };
    conversation.sending(clientMessageId, message);
    this.#show.conversation();
    try {
      const { seq } = await this.#deliver(room.id, message);
      this.#meter.receipt(clientMessageId);
      conversation.stored(clientMessageId, seq);
    } catch (error) {
      conversation.failed(clientMessageId, `${error.message} (${error.code})`);
    }
    this.#show.conversation();
  }

  // sendAgain sends the newest message of one's own once more under its clientMessageId, and resolves with the
  // answer.
  sendAgain() {
    const { room, conversation } = this.#opened();
    const last = conversation.mine();
    if (!last?.clientMessageId) throw new Error(t("nothingSent"));
    return this.#deliver(room.id, last);
  }

  // deliver resolves once a message is stored.
  #deliver(room, { type, content, attachment, clientMessageId }) {
    const options = { clientMessageId };
    if (type === "IMAGE") return this.#client.sendImageMessage(room, attachment, options);
    if (type === "VOICE") return this.#client.sendVoiceMessage(room, attachment, options);
    return this.#client.sendTextMessage(room, content, options);
  }

  edit(item, content) { return this.#client.editMessage(this.#opened().room.id, item.seq, content); }

  recall(item) { return this.#client.recallMessage(this.#opened().room.id, item.seq); }

  typing() { this.#client.sendTyping(this.#opened().room.id); }

  read() {
    const { room } = this.#opened();
    this.rooms.read(room.id);
    this.#show.rooms();
    return this.#client.markAsRead(room.id);
  }

  setStatus(status) { return this.#client.updateStatus(status); }

  invite(users) { return this.#api.invite(this.#opened().room.id, users); }

  async leave() {
    const { room } = this.#opened();
    await this.#api.leave(room.id, this.me);
    this.close();
    this.rooms.remove(room.id);
    this.#show.room(null);
    this.#show.rooms();
  }

  #opened() {
    if (!this.open) throw new Error(t("needOpenRoom"));
    return this.open;
  }

  #listen() {
    const client = this.#client;
    client.on("connected", (details) => this.#connected(details));
    client.on("reconnecting", ({ error }) => {
      this.#mind(error);
      this.#show.state("wait", "reconnecting");
    });
    client.on("disconnected", ({ willReconnect, error }) => {
      this.#mind(error);
      this.#meter.lost();
      this.#show.state(willReconnect ? "wait" : "off", willReconnect ? "reconnecting" : "offline");
    });
    client.on("drain", () => this.#show.state("wait", "leaving"));
    client.on("unsubscribed", ({ chatRoomId, error }) => this.#unsubscribed(chatRoomId, error));
    client.on("error", (error) => {
      if (client.state === "disconnected") this.#show.state("off", "offline");
      if (!error.clientMessageId) this.#show.notice(`${error.message} (${error.code})`);
    });
    client.on("event", (event) => this.#heard(event));
  }

  // mind takes note that it was the token which the server did not like.
  #mind(error) {
    if (error?.code === "UNAUTHENTICATED" || error?.code === "TOKEN_EXPIRED") this.#tokens.refused();
  }

  #connected(details) {
    this.rooms ??= new RoomList(details.userId);
    this.#show.state("on", "connected", { user: details.userId });
    this.#show.connected(details);
    if (details.reconnected) this.refresh().catch(() => {}); // the next look will do
  }

  #unsubscribed(id, error) {
    if (this.open?.room.id === id) this.open.subscribed = false;
    if (error) this.#show.notice(`${error.message} (${error.code})`);
  }

  // heard takes what comes on the open room's topic and the inbox.
  #heard(event) {
    if (event.event === "NOTIFICATION") {
      this.#show.notice(t("notification", event), "news");
      return;
    }
    if (event.event === "PRESENCE") this.rooms.presence(event);
    else if (event.event === "USER_STATUS") this.rooms.status(event.userId, event.status, event.at);
    else this.#heardOfRoom(event);
    this.#show.rooms();
    this.#show.conversation();
  }

  // Of rooms whose topic is not subscribed come copies of new messages, by the inbox.
  #heardOfRoom(event) {
    const here = event.chatRoomId === this.open?.room.id && this.open.subscribed;
    const seen = here && document.visibilityState === "visible";
    if (!this.rooms.hear(event, seen)) this.refresh().catch(() => {}); // the next look will do
    if (!here) return;
    if (event.event === "TYPING") {
      if (event.userId !== this.me) this.#show.typing(event.userId);
      return;
    }
    this.open.conversation.apply(event);
    if (event.event !== "MESSAGE") return;
    this.#show.stopped(event.senderId);
    if (event.senderId === this.me) this.#meter.echo(event.clientMessageId);
    else if (seen) this.#client.markAsRead(event.chatRoomId, event.seq).catch(() => {}); // told by the event error
  }
}

// newId needs no secure context, unlike crypto.randomUUID.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
