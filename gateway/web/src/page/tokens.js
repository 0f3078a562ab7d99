// The token of this page: pasted by a person, or got from a development server, which gives another one when it is
// needed.

import { devToken } from "./api.js";
import { t } from "./i18n.js";

const SPARE = 30_000; // ms before its end at which a token is too old to begin with

export class Tokens {
  #servers;
  #user;
  #token;
  #bad = false;

  constructor({ servers, user, token }) {
    this.#servers = servers;
    this.#user = user || userOf(token);
    this.#token = token;
  }

  // get resolves with a token that should be good, or rejects with words for a person.
  async get() {
    const end = endOf(this.#token);
    const over = end && end - Date.now() < SPARE;
    if (this.#token && !this.#bad && !over) return this.#token;
    if (!this.#user) throw new Error(t("needToken"));
    this.#token = await devToken(this.#servers, this.#user);
    this.#bad = false;
    return this.#token;
  }

  // refused says that the server does not take the token.
  refused() { this.#bad = true; }

  get user() { return this.#user; }

  // end is when the token ends, in ms since 1970; 0 where it does not say.
  get end() { return endOf(this.#token); }
}

// userOf reads whose token it is, only to show it; the server decides.
export const userOf = (token) => claimsOf(token).sub ?? "";

const endOf = (token) => (claimsOf(token).exp ?? 0) * 1_000;

function claimsOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(claims), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}
