// What the address asks for after its #: user, with, server, room, token. A token is taken out of the address at
// once, before anything else is done, so that it is neither kept in the browser's history nor copied with the
// address.

const ASKED = ["server", "user", "room", "with", "token"];

export function readAddress() {
  const all = new URLSearchParams(location.hash.slice(1));
  const asked = Object.fromEntries(ASKED.map((name) => [name, all.get(name) ?? ""]));
  if (all.has("token")) {
    all.delete("token");
    history.replaceState(null, "", `#${all}`);
  }
  return asked;
}

// remember keeps user and room in the address, never the token, so that the page can be opened again.
export function remember({ user, room, servers }) {
  const where = new URLSearchParams();
  if (user) where.set("user", user);
  if (room) where.set("room", room);
  if (servers.join() !== location.origin) where.set("server", servers.join(","));
  history.replaceState(null, "", `#${where}`);
}
