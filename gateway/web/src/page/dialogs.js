// Dialogs: what opens and closes them, and their forms.

import { el } from "./dom.js";

export function setUpDialogs() {
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-opens], [data-closes]");
    if (target?.dataset.opens) openDialog(target.dataset.opens);
    else if (target) target.closest("dialog").close();
    else if (event.target.localName === "dialog") event.target.close(); // outside of what it holds
    for (const menu of document.querySelectorAll(".menu[open]")) {
      if (!menu.contains(event.target) || event.target.closest(".menu-items")) menu.open = false;
    }
  });
}

export function openDialog(id) {
  if (!el(id).open) el(id).showModal();
}

// onSubmit does the work of a dialog's form; what goes wrong stands in the dialog, and it stays open.
export function onSubmit(id, work) {
  const form = el(id);
  const dialog = form.closest("dialog");
  const problem = form.querySelector(".problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const go = event.submitter;
    problem.textContent = "";
    if (go) go.disabled = true;
    try {
      await work();
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      if (go) go.disabled = false;
    }
  });
}
