// The REST side: every function throws an Error whose message can be shown to a person.

export class Api {
  constructor(server, token) {
    this.server = server;
    this.token = token;
  }

  createRoom(memberIds, name) {
    return this.#call("POST", "/api/v1/chat-rooms", name ? { memberIds, name } : { memberIds });
  }

  history(room, limit) {
    return this.#call("GET", `/api/v1/chat-rooms/${encodeURIComponent(room)}/messages?limit=${limit}`);
  }

  #call(method, path, body) {
    return request(this.server, method, path, body, { Authorization: `Bearer ${this.token}` });
  }
}

// devToken asks for a token for any user; only development servers give one.
export async function devToken(server, userId) {
  try {
    return (await request(server, "POST", "/api/v1/dev/token", { userId })).token;
  } catch (error) {
    if (error.status === 401 || error.status === 404 || error.status === 405) {
      throw new Error("This server gives no development tokens: paste a token of your own.");
    }
    throw error;
  }
}

async function request(server, method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(new URL(path, server), {
      method,
      credentials: "omit",
      headers: body ? { ...headers, "Content-Type": "application/json" } : headers,
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Error(`${server} cannot be reached, or does not let this page in.`);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw Object.assign(
      new Error(answer.message ? `${answer.message} (${answer.code})` : `The server answered ${response.status} to ${path}.`),
      { status: response.status, code: answer.code },
    );
  }
  return answer;
}
