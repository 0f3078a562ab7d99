// The test page: joins what is on it (views, dialogs, inspector) with a session, which has the connection.

import { readAddress, remember } from "./address.js";
import { devToken } from "./api.js";
import { ChatView } from "./chatview.js";
import { Composer } from "./composer.js";
import { onSubmit, openDialog, setUpDialogs } from "./dialogs.js";
import { el, paintFace } from "./dom.js";
import { Facts } from "./facts.js";
import { setUpFaults } from "./faults.js";
import { FrameLog } from "./framelog.js";
import { onLanguage, t, toggleLanguage, translate } from "./i18n.js";
import { setUpInspector, toggleInspector } from "./inspector.js";
import { setUpKeys } from "./keys.js";
import { Meter } from "./meter.js";
import { attempt, notice } from "./notice.js";
import { RoomsView } from "./roomsview.js";
import { Session } from "./session.js";
import { Tap } from "./tap.js";
import { setUpTheme } from "./theme.js";
import { Tokens, userOf } from "./tokens.js";

const NARROW = "(max-width: 46rem)"; // as narrow.css has it

let session = null;
let state = { word: "off", key: "offline" };

const asked = readAddress();
const frames = new FrameLog();
const meter = new Meter();
const facts = new Facts();
const tap = new Tap((direction, text, bytes, beat) => {
  frames.add(direction, text, beat);
  facts.frame(direction, text);
  meter.frame(direction, text, bytes);
});
const there = () => {
  if (!session) throw new Error(t("needConnection"));
  return session;
};
const chatView = new ChatView({
  edit: (item) => composer.edit(item),
  recall: (item) => attempt(() => there().recall(item)),
});
const roomsView = new RoomsView((id) => attempt(() => openRoom(id)));
const composer = new Composer({
  send(...message) {
    chatView.end();
    attempt(() => there().send(...message));
  },
  edit: (item, content) => attempt(() => there().edit(item, content)),
  typing: () => attempt(() => there().typing()),
  lastMine: () => session?.open?.conversation.mine(),
});
const faults = setUpFaults(tap, there);

const show = (tokens) => ({
  state: (word, key, values) => showState({ word, key, values }),
  rooms: () => roomsView.show(session?.rooms ?? null),
  room: showRoom,
  conversation: () => chatView.redraw(),
  typing: (user) => chatView.typing(user),
  stopped: (user) => chatView.stopped(user),
  more: (more) => chatView.more(more),
  notice,
  connected: (details) => facts.connected(details, tokens.end),
});

function showState(next) {
  state = next;
  const text = t(state.key, state.values);
  el("state").dataset.state = state.word;
  el("state-text").textContent = text;
  el("state-live").textContent = text;
  el("disconnect").disabled = state.word === "off";
  if (state.word !== "on") facts.gone();
  if (state.values?.user) {
    el("me").hidden = false;
    el("me-name").textContent = state.values.user;
    paintFace(el("me-face"), state.values.user);
  }
}

function showRoom(open) {
  chatView.show(open?.room, open?.conversation, session?.rooms);
  roomsView.open(open?.room.id ?? "");
  document.body.dataset.view = open ? "chat" : "rooms";
  remember({ user: session?.me, room: open?.room.id, servers: servers() });
}

const value = (id) => el(id).value.trim();
const names = (id) => value(id).split(/[,，\s]+/).filter(Boolean);
const servers = () => names("server");

async function connect() {
  const room = value("room");
  if (room && !/^[1-9][0-9]*$/.test(room)) throw new Error(t("badRoom"));
  const user = value("user");
  const token = user && userOf(value("token")) && userOf(value("token")) !== user ? "" : value("token");
  if (!user && !token) throw new Error(t("needToken"));
  await disconnect();
  const tokens = new Tokens({ servers: servers(), user, token });
  const mine = (session = new Session({ servers: servers(), tokens, tap, meter, show: show(tokens) }));
  try {
    await mine.start();
  } catch (error) {
    if (mine === session) await disconnect();
    throw error;
  }
  el("user").value = mine.me;
  remember({ user: mine.me, room: "", servers: servers() });
  if (room) await openRoom(room);
}

async function disconnect() {
  const old = session;
  session = null;
  await old?.stop();
  el("me").hidden = true;
  showRoom(null);
  roomsView.show(null);
}

async function openRoom(id) {
  await there().openRoom(id);
  if (!matchMedia(NARROW).matches) composer.focus();
}

async function createRoom(members, name) {
  await openRoom(await there().createRoom(members, name));
}

// backToRooms is for narrow screens, where the list and the conversation take turns.
function backToRooms() {
  session?.close();
  showRoom(null);
}

const roomDoes = {
  read: () => there().read(),
  typing: () => there().typing(),
  subscribe: () => there().subscribe(),
  unsubscribe: () => there().unsubscribe(),
  leave: () => there().leave(),
};

function setUpForms() {
  onSubmit("connection", connect);
  onSubmit("create-form", () => createRoom(names("members"), value("name")));
  onSubmit("invite-form", () => there().invite(names("invite-user")));
  el("dev-token").addEventListener("click", async () => {
    el("settings-error").textContent = "";
    try {
      if (!value("user")) throw new Error(t("needUser"));
      el("token").value = await devToken(servers(), value("user"));
    } catch (error) {
      el("settings-error").textContent = error.message;
    }
  });
  el("disconnect").addEventListener("click", () => attempt(disconnect));
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => attempt(roomDoes[button.dataset.do]));
  }
  el("earlier").addEventListener("click", () => attempt(() => there().earlier()));
  el("back").addEventListener("click", backToRooms);
  el("status").addEventListener("change", () => attempt(() => there().setStatus(el("status").value)));
}

function setUpLanguage() {
  el("language").addEventListener("click", toggleLanguage);
  translate();
  onLanguage(() => {
    const other = document.documentElement.lang === "en";
    Object.assign(el("language"), { textContent: other ? "中文" : "English", lang: other ? "zh-CN" : "en" });
    el("language").setAttribute("aria-label", other ? "切换到中文" : "Switch to English");
    showState(state);
    for (const view of [chatView, roomsView, frames]) view.forget();
  });
}

// obey does what the address asks for: a user or a token connects, with=bob finds or makes the room with bob.
async function obey({ server, user, room, with: other, token }) {
  if (server) el("server").value = server;
  Object.entries({ user, room, members: other, token }).forEach(([id, text]) => { if (text) el(id).value = text; });
  if (!user && !token) return openDialog("settings");
  await connect();
  if (other) await createRoom(names("members"), "");
}

el("server").value = location.origin;
setUpTheme();
setUpInspector();
setUpDialogs();
setUpForms();
setUpLanguage();
setUpKeys({
  step(by) {
    const id = roomsView.step(by);
    if (id) attempt(() => openRoom(id));
  },
  escape() {
    if (composer.stopEditing()) return;
    if ("inspector" in document.body.dataset && matchMedia(NARROW).matches) toggleInspector(false);
    else if (matchMedia(NARROW).matches) backToRooms();
  },
  drop: () => attempt(faults.drop),
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && session?.open?.subscribed) attempt(() => session?.read());
});
window.addEventListener("hashchange", () => attempt(() => obey(readAddress())));
attempt(() => obey(asked));
