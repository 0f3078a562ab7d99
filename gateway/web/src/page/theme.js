// Light or dark: as the system has it, until a person chooses.

import { el } from "./dom.js";
import { keep, kept } from "./kept.js";

const root = document.documentElement;

export function setUpTheme() {
  const chosen = kept("theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  el("theme").addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    keep("theme", root.dataset.theme);
  });
}
