// The script-tag bundle: window.FliliyWebSocketClient. SockJS comes from a second file beside this one, and only when
// it is needed.
import { ChatError, FliliyWebSocketClient } from "./public.js";
import { useSockJSLoader, type SockJSFactory } from "./socket.js";

const here = typeof document === "object" ? (document.currentScript as HTMLScriptElement | null)?.src : undefined;

useSockJSLoader(async () => {
  const loaded = globalThis as { SockJS?: new (url: string) => unknown };
  if (!loaded.SockJS) await load(new URL("sockjs.js", here).href);
  const { SockJS } = loaded;
  return ((url: string) => new SockJS!(url)) as SockJSFactory;
});

function load(src: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = src;
    script.onload = () => resolve();
    script.onerror = () => reject(new ChatError("UNAVAILABLE", `${src} could not be loaded`));
    document.head.append(script);
  });
}

Object.assign(FliliyWebSocketClient, { ChatError });
Object.assign(globalThis, { FliliyWebSocketClient });
