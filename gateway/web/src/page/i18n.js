// Which language the page speaks, and its words. A page in Chinese for browsers that ask for Chinese, in English for
// all others; the choice of a person is kept.

import { words } from "./words.js";
import { kept, keep } from "./kept.js";

let language = kept("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
const listeners = [];

// t is the text for a key, with its {values} put in.
export function t(key, values = {}) {
  return words[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const locale = () => (language === "zh" ? "zh-CN" : "en");

// onLanguage calls listener now and whenever the language changes: whatever is drawn by scripts draws itself again.
export function onLanguage(listener) {
  listeners.push(listener);
  listener();
}

export function toggleLanguage() {
  language = language === "zh" ? "en" : "zh";
  keep("language", language);
  translate();
}

// translate puts the words of the language into the page.
export function translate() {
  document.documentElement.lang = locale();
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) label(node, t(node.dataset.tLabel));
  for (const node of document.querySelectorAll("[data-t-hint]")) node.placeholder = t(node.dataset.tHint);
  for (const listener of listeners) listener();
}

// label names what shows no text of its own; what can be clicked shows its name under the pointer, too.
function label(node, text) {
  node.setAttribute("aria-label", text);
  if (node.matches("button, summary")) node.title = text;
}
