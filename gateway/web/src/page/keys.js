// Keyboard shortcuts; the dialog "Keyboard shortcuts" lists them. Alt with a letter, because a page may not take what
// browsers use; by the key's place, because Alt types other characters on some keyboards.

import { el } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { choose, toggleInspector } from "./inspector.js";

// does: step(by), escape(), drop().
export function setUpKeys(does) {
  const shortcuts = {
    ArrowUp: () => does.step(-1),
    ArrowDown: () => does.step(1),
    KeyK: () => el("room-filter").focus(),
    KeyN: () => openDialog("create"),
    KeyI: () => toggleInspector(),
    KeyF: () => {
      toggleInspector(true);
      choose("frames");
      el("frame-text").focus();
    },
    KeyD: () => does.drop(),
  };
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (event.altKey && !event.ctrlKey && !event.metaKey && shortcuts[event.code]) {
      event.preventDefault();
      shortcuts[event.code]();
    } else if (event.key === "Escape") {
      does.escape();
    } else if (event.key === "?" && !event.target.closest("input, textarea, select")) {
      openDialog("shortcuts");
    }
  });
}
