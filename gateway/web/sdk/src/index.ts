// fliliy-websocket-client, for bundlers and Node.
import { useSockJSLoader, type SockJSFactory } from "./socket.js";

useSockJSLoader(async () => {
  const { default: SockJS } = await import("sockjs-client");
  return ((url: string) => new SockJS(url)) as SockJSFactory;
});

export * from "./public.js";
