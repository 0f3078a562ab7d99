// Where one writes: a message, a new text for an old one, a picture or a recording by its address.

import { el } from "./dom.js";
import { onSubmit, openDialog } from "./dialogs.js";
import { t } from "./i18n.js";

const TYPING_EVERY = 3_000; // ms between two signs that one is typing

export class Composer {
  #does;
  #editing = null;
  #typedAt = 0;
  #kind = "IMAGE";

  // does: send(type, content, attachment), edit(item, content), typing(), lastMine().
  constructor(does) {
    this.#does = does;
    const text = el("text");
    el("send").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    text.addEventListener("keydown", (event) => this.#key(event));
    text.addEventListener("input", () => {
      this.#grow();
      if (text.value && Date.now() - this.#typedAt > TYPING_EVERY) {
        this.#typedAt = Date.now();
        does.typing();
      }
    });
    el("edit-cancel").addEventListener("click", () => this.stopEditing());
    for (const choice of document.querySelectorAll("[data-kind]")) {
      choice.addEventListener("click", () => this.#attach(choice.dataset.kind));
    }
    onSubmit("attachment-form", () => this.#sendAttachment());
  }

  focus() { el("text").focus({ preventScroll: true }); }

  edit(item) {
    this.#editing = item;
    el("editing").hidden = false;
    el("editing-text").textContent = t("editingNote", { seq: item.seq });
    el("text").value = item.content;
    this.#grow();
    this.focus();
  }

  // stopEditing returns whether something was being edited.
  stopEditing() {
    if (!this.#editing) return false;
    this.#editing = null;
    el("editing").hidden = true;
    el("text").value = "";
    this.#grow();
    this.focus();
    return true;
  }

  #submit() {
    const content = el("text").value.trim();
    if (!content) return;
    const item = this.#editing;
    if (item) {
      this.stopEditing();
      this.#does.edit(item, content);
    } else {
      el("text").value = "";
      this.#typedAt = 0;
      this.#does.send("TEXT", content);
    }
    this.#grow();
    this.focus();
  }

  // Enter sends, but not the Enter that ends the choice of a Chinese character.
  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    }
    if (event.key === "ArrowUp" && !event.altKey && !el("text").value) {
      const mine = this.#does.lastMine();
      if (mine?.type === "TEXT") {
        event.preventDefault();
        this.edit(mine);
      }
    }
  }

  // grow gives browsers without field-sizing as many lines as the text has.
  #grow() {
    const lines = el("text").value.split("\n").length;
    el("text").rows = Math.min(6, lines);
  }

  #attach(kind) {
    this.#kind = kind;
    el("attachment-title").textContent = t(kind === "IMAGE" ? "image" : "voice");
    el("attachment-form").reset();
    openDialog("attachment");
  }

  #sendAttachment() {
    const [url, caption] = [el("attachment-url").value.trim(), el("attachment-text").value.trim()];
    this.#does.send(this.#kind, url, caption ? { url, caption } : { url });
  }
}
