// The tap sits on the socket itself, so that what it shows is what went over it. It also breaks things on purpose: it
// cuts the socket, keeps new ones from being made, sends a frame that no program would.

const BEAT = /^[\r\n]+$/;

export class Tap {
  #socket = null;
  #offline = false;
  #onFrame;

  // onFrame(direction, text, bytes, beat) hears of everything that goes "in" or "out", tokens and all: who shows it,
  // hides them.
  constructor(onFrame) { this.#onFrame = onFrame; }

  // open makes a socket as `new WebSocket` does.
  open(url, protocols) {
    if (this.#offline) return new Unreachable();
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#saw("in", data));
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      this.#saw("out", data);
      send(data);
    };
    return socket;
  }

  get offline() { return this.#offline; }

  // drop cuts the socket. The other side sees a close without a DISCONNECT, as when a phone loses its network.
  drop() {
    const socket = this.#socket;
    if (!socket || socket.readyState > WebSocket.OPEN) return false;
    socket.close(4000, "dropped on purpose");
    return true;
  }

  // setOffline keeps all sockets from being made, and cuts the one there is.
  setOffline(offline) {
    this.#offline = offline;
    if (offline) this.drop();
  }

  // raw sends a frame of one's own making.
  raw(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(`${text}\0`);
    return true;
  }

  #saw(direction, data) {
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    const bytes = typeof data === "string" ? new TextEncoder().encode(data).length : data.byteLength;
    this.#onFrame(direction, text, bytes, BEAT.test(text));
  }
}

// Unreachable is a socket to nowhere: it fails a moment after it was made, as one does without a network.
class Unreachable extends EventTarget {
  readyState = WebSocket.CONNECTING;
  url = "";
  protocol = "";
  binaryType = "arraybuffer";
  bufferedAmount = 0;

  constructor() {
    super();
    setTimeout(() => {
      if (this.readyState === WebSocket.CLOSED) return;
      this.readyState = WebSocket.CLOSED;
      this.#tell(new Event("error"));
      this.#tell(new CloseEvent("close", { code: 1006 }));
    });
  }

  send() { throw new DOMException("there is no network", "NetworkError"); }

  close(code = 1006, reason = "") {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    setTimeout(() => this.#tell(new CloseEvent("close", { code, reason })));
  }

  #tell(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }
}
