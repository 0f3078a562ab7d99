// The inspector beside the conversation: open or not, and its tabs.

import { el } from "./dom.js";
import { keep, kept } from "./kept.js";

const TABS = ["frames", "measure", "faults"];
const WIDE = "(min-width: 70.01rem)"; // where it has a place of its own, as narrow.css has it

export function setUpInspector() {
  const asked = kept("inspector");
  toggleInspector(matchMedia(WIDE).matches && asked !== "closed");
  matchMedia(WIDE).addEventListener("change", ({ matches }) => {
    toggleInspector(matches && kept("inspector") !== "closed");
  });
  el("inspect").addEventListener("click", () => toggleInspector());
  el("inspect-back").addEventListener("click", () => toggleInspector(false));
  for (const [i, name] of TABS.entries()) {
    el(`tab-${name}`).addEventListener("click", () => choose(name));
    el(`tab-${name}`).addEventListener("keydown", ({ key }) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (by) choose(TABS[(i + by + TABS.length) % TABS.length], true);
    });
  }
}

export function toggleInspector(open = !("inspector" in document.body.dataset)) {
  if (open) document.body.dataset.inspector = "";
  else delete document.body.dataset.inspector;
  el("inspect").setAttribute("aria-expanded", String(open));
  if (matchMedia(WIDE).matches) keep("inspector", open ? "open" : "closed");
}

export function choose(name, focus = false) {
  for (const tab of TABS) {
    const chosen = tab === name;
    el(`tab-${tab}`).setAttribute("aria-selected", String(chosen));
    el(`tab-${tab}`).tabIndex = chosen ? 0 : -1;
    el(`panel-${tab}`).hidden = !chosen;
  }
  if (focus) el(`tab-${name}`).focus();
}
