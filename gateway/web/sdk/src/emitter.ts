// on, off, once: handlers by name. A handler that throws keeps neither the others nor the client from their work.

export type Handler<T> = (detail: T) => void;

/** What once() was given, by what it put in its place: off() takes either. */
const once = new WeakMap<Handler<never>, Handler<never>>();

export class Emitter<Events> {
  private readonly handlers = new Map<keyof Events, Set<Handler<never>>>();

  /** Calls the handler at every event of that name; the function returned takes it off again. */
  on<Name extends keyof Events>(name: Name, handler: Handler<Events[Name]>): () => void {
    let all = this.handlers.get(name);
    if (!all) this.handlers.set(name, (all = new Set()));
    all.add(handler);
    return () => this.off(name, handler);
  }

  /** Takes a handler off, or without one all handlers of that name. */
  off<Name extends keyof Events>(name: Name, handler?: Handler<Events[Name]>): void {
    if (!handler) return void this.handlers.delete(name);
    const all = this.handlers.get(name);
    for (const one of Array.from(all ?? [])) {
      if (one === handler || once.get(one) === handler) all!.delete(one);
    }
  }

  /** Calls the handler at the next event of that name alone. */
  once<Name extends keyof Events>(name: Name, handler: Handler<Events[Name]>): () => void {
    const first: Handler<Events[Name]> = (detail) => {
      off();
      handler(detail);
    };
    once.set(first, handler);
    const off = this.on(name, first);
    return off;
  }

  protected listens(name: keyof Events): boolean {
    return (this.handlers.get(name)?.size ?? 0) > 0;
  }

  protected emit<Name extends keyof Events>(name: Name, detail: Events[Name]): void {
    for (const handler of Array.from(this.handlers.get(name) ?? [])) {
      try {
        (handler as Handler<Events[Name]>)(detail);
      } catch (fault) {
        setTimeout(() => {
          throw fault; // the program's fault is reported where its other faults are
        });
      }
    }
  }
}
