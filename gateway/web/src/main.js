// The test page: joins the forms, the REST side (api.js), the STOMP side (chat.js) and the page (view.js).

import { Api, devToken } from "./api.js";
import { Chat } from "./chat.js";
import { el, enableSending, FrameLog, Messages, showNotice, showState } from "./view.js";

const HISTORY = 50;
const TYPING_EVERY = 3_000;

const messages = new Messages();
const frames = new FrameLog();
let chat = null;
let joined = ""; // the room of this connection, whatever the field says by now
let turn = 0; // counts connects and disconnects; what an older one still waits for is void
let me = "";
let typedAt = 0;

const value = (id) => el(id).value.trim();

// attempt runs what a person asked for and says in words what went wrong.
async function attempt(work) {
  showNotice("");
  try {
    await work();
  } catch (error) {
    showNotice(error.message);
  }
}

// userOf reads whose token it is, only to show it; the server decides.
function userOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(claims), (c) => c.charCodeAt(0)))).sub ?? "";
  } catch {
    return "";
  }
}

async function getToken() {
  const user = value("user");
  if (!user) throw new Error("Say which user the token is for.");
  el("token").value = await devToken(value("server"), user);
}

// ensureToken makes sure that the token is the named user's, and gets one where that is possible.
async function ensureToken() {
  const user = value("user");
  if (!value("token") || (user && userOf(value("token")) !== user && userOf(value("token")))) await getToken();
  return value("token");
}

async function createRoom() {
  const members = value("members").split(/[,，\s]+/).filter(Boolean);
  const room = await new Api(value("server"), await ensureToken()).createRoom(members, value("name"));
  el("room").value = room.chatRoomId;
  await connect();
}

async function connect() {
  const mine = await disconnect();
  showState("wait", "connecting…");
  try {
    const [server, room, token] = [value("server"), value("room"), await ensureToken()];
    if (room && !/^[1-9][0-9]*$/.test(room)) throw new Error("A room id is a positive whole number.");
    const { events, headSeq } = room ? await new Api(server, token).history(room, HISTORY) : { events: [], headSeq: 0 };
    if (mine !== turn) return;
    joined = room;
    me = userOf(token) || value("user");
    messages.clear();
    events.forEach((event) => messages.show(event, me));
    remember(room);
    chat = new Chat({ server, token, room, lastSeq: headSeq, callbacks });
    chat.start();
  } catch (error) {
    if (mine === turn) showState("off", "not connected");
    throw error;
  }
}

async function disconnect() {
  const mine = ++turn;
  const old = chat;
  chat = null;
  await old?.stop();
  showState("off", "not connected");
  return mine;
}

const callbacks = {
  state(state, text, user) {
    if (user) me = user;
    showState(state, text);
  },
  ready() {
    enableSending(true);
  },
  event(event) {
    if (event.chatRoomId && event.chatRoomId !== joined) {
      if (event.event === "MESSAGE") el("activity").textContent = `${event.senderId} wrote in room ${event.chatRoomId}`;
      return;
    }
    if (event.event === "NOTIFICATION") {
      el("activity").textContent = `${event.title}: ${event.content}`;
      return;
    }
    messages.show(event, me);
    if (event.event === "MESSAGE" && event.senderId !== me && document.visibilityState === "visible") {
      chat?.read(event.seq);
    }
  },
  stored: (receipt) => messages.stored(receipt),
  failure(text, clientMessageId) {
    if (!clientMessageId || !messages.failed(clientMessageId, text)) showNotice(text);
  },
  frame: (direction, text) => frames.add(direction, text),
};

// remember keeps user and room, never the token, in the address, so that the page can be opened again.
function remember(room) {
  const where = new URLSearchParams();
  if (me) where.set("user", me);
  if (room) where.set("room", room);
  history.replaceState(null, "", `#${where}`);
}

// openAddress does what the address asks for: #user=alice&room=1 connects, #user=alice&with=bob finds or makes the
// room of the two first.
async function openAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  el("user").value = asked.get("user") ?? el("user").value;
  el("room").value = asked.get("room") ?? el("room").value;
  el("members").value = asked.get("with") ?? el("members").value;
  if (!asked.get("user")) return;
  if (asked.get("with")) await createRoom();
  else if (asked.get("room")) await connect();
}

function submitted(form, work) {
  el(form).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(work);
  });
}

el("server").value = location.origin;
showState("off", "not connected");
submitted("connection", connect);
submitted("create", createRoom);
submitted("send", () => {
  const text = el("text").value;
  if (!text.trim() || !chat) return;
  messages.sending(chat.send(text), text);
  el("text").value = "";
  el("text").focus();
});
el("dev-token").addEventListener("click", () => attempt(getToken));
el("disconnect").addEventListener("click", () => attempt(disconnect));
el("text").addEventListener("input", () => {
  if (Date.now() - typedAt < TYPING_EVERY) return;
  typedAt = Date.now();
  chat?.typing();
});
el("log-filter").addEventListener("input", () => frames.refilter());
el("log-beats").addEventListener("change", () => frames.refilter());
el("log-clear").addEventListener("click", () => frames.clear());
window.addEventListener("hashchange", () => attempt(openAddress));
attempt(openAddress);
