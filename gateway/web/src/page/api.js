// The REST side: every method rejects with an Error whose message can be shown to a person. Where there are several
// servers, the one that answered last is asked first.

import { t } from "./i18n.js";

export class Api {
  #servers;
  #token;

  // token is a function that resolves with the token to use.
  constructor(servers, token) {
    this.#servers = [...servers];
    this.#token = token;
  }

  createRoom(memberIds, name) {
    return this.#call("POST", "/api/v1/chat-rooms", name ? { memberIds, name } : { memberIds });
  }

  rooms() { return this.#call("GET", "/api/v1/chat-rooms?limit=100"); }

  // history is the newest page of a room's log, or the page before a seq.
  history(room, limit, beforeSeq) {
    const before = beforeSeq ? `&beforeSeq=${beforeSeq}` : "";
    return this.#call("GET", `${path(room)}/messages?limit=${limit}${before}`);
  }

  members(room) { return this.#call("GET", `${path(room)}/members`); }

  invite(room, memberIds) { return this.#call("POST", `${path(room)}/members`, { memberIds }); }

  leave(room, user) { return this.#call("DELETE", `${path(room)}/members/${encodeURIComponent(user)}`); }

  send(room, message) { return this.#call("POST", `${path(room)}/messages`, message); }

  async #call(method, where, body) {
    const headers = { Authorization: `Bearer ${await this.#token()}` };
    for (let left = this.#servers.length; ; left--) {
      try {
        return await request(this.#servers[0], method, where, body, headers);
      } catch (error) {
        if (error.status || left <= 1) throw error;
        this.#servers.push(this.#servers.shift());
      }
    }
  }
}

const path = (room) => `/api/v1/chat-rooms/${encodeURIComponent(room)}`;

// devToken asks for a token for any user; only development servers give one.
export async function devToken(servers, userId) {
  for (const [i, server] of servers.entries()) {
    try {
      return (await request(server, "POST", "/api/v1/dev/token", { userId })).token;
    } catch (error) {
      const { status } = error;
      if ([401, 404, 405].includes(status)) throw Object.assign(new Error(t("noDevToken")), { status });
      if (error.status || i === servers.length - 1) throw error;
    }
  }
}

async function request(server, method, where, body, headers = {}) {
  let response;
  try {
    response = await fetch(new URL(where, server), {
      method,
      credentials: "omit",
      headers: body ? { ...headers, "Content-Type": "application/json" } : headers,
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Error(t("unreachable", { server }));
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { status } = response;
  const text = answer.message ? `${answer.message} (${answer.code})` : t("answered", { status, path: where });
  throw Object.assign(new Error(text), { status, code: answer.code });
}
