// One line over the page that goes away by itself: what went wrong ("fault"), or what has come ("news").

import { el } from "./dom.js";

const FOR = 8_000;
let timer;

export function notice(text, kind = "fault") {
  clearTimeout(timer);
  el("notice").textContent = text;
  el("notice").dataset.kind = kind;
  el("notice").hidden = !text;
  if (text) timer = setTimeout(() => notice(""), FOR);
}

// attempt does what a person asked for, and says in words what went wrong.
export async function attempt(work) {
  notice("");
  try {
    return await work();
  } catch (error) {
    notice(error.message);
  }
}
