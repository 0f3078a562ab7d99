// The buttons that break things on purpose, and the one that sends many messages at once.

import { el } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { attempt } from "./notice.js";

// A token that no key has signed.
const BAD_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.AAAA";

export function setUpFaults(tap, session) {
  const say = (text) => { el("fault-result").textContent = text; };
  const connected = (done) => {
    if (!done) throw new Error(t("needConnection"));
  };
  const faults = {
    drop() {
      connected(tap.drop());
      say(t("dropped"));
    },
    offline() {
      tap.setOffline(!tap.offline);
      showOffline();
      say(t(tap.offline ? "nowOffline" : "nowOnline"));
    },
    expire() {
      const frame = `SEND\ndestination:/app/user/token\ncontent-type:application/json\n\n{"token":"${BAD_TOKEN}"}`;
      connected(tap.raw(frame));
      say(t("spoiled"));
    },
    async duplicate() {
      const { seq, duplicate } = await session().sendAgain();
      say(t(duplicate ? "wasDuplicate" : "wasStored", { seq }));
    },
  };
  const showOffline = () => {
    el("go-offline").setAttribute("aria-pressed", String(tap.offline));
    el("go-offline").textContent = t(tap.offline ? "goOnline" : "goOffline");
  };
  onLanguage(showOffline);
  for (const button of document.querySelectorAll("[data-fault]")) {
    button.addEventListener("click", () => attempt(faults[button.dataset.fault]));
  }
  el("burst").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => burst(session(), Number(el("burst-size").value)));
  });
  return faults;
}

async function burst(session, all) {
  await Promise.all(Array.from({ length: all }, (_, i) => session.send("TEXT", t("burstText", { n: i + 1, all }))));
}
