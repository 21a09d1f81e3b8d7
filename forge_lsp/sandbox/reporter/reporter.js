// Tells forge-lsp what goes wrong on this page. It runs before everything else, keeps what it needs
// of the page's world for itself, and never throws: the page is not to notice it.
(() => {
  "use strict";

  const MAX_TEXT = 4000;
  const MAX_STACK = 8000;
  const MAX_WAITING = 30;
  const MAX_KNOWN = 200;
  const SEND_AFTER_MS = 20;
  const SAME_AGAIN_AFTER_MS = 1000;

  const { Error, JSON, Map, Math, Date, String } = window;
  const encode = JSON.stringify;
  const now = Date.now;
  const fetch = window.fetch.bind(window);
  const setTimeout = window.setTimeout.bind(window);
  const consoleError = console.error;

  const page = String(Math.random()).slice(2, 18);
  const known = new Map();
  let waiting = [];
  let isSending = false;

  function send() {
    isSending = false;
    const happened = waiting;
    waiting = [];
    if (happened.length === 0) return;
    fetch("/__forge/happened", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: encode({ page, happened }),
      keepalive: true,
    }).catch(() => {});
  }

  function tell(kind, text, stack) {
    const key = kind + text + stack;
    const at = now();
    if (waiting.length >= MAX_WAITING || at - (known.get(key) ?? 0) < SAME_AGAIN_AFTER_MS) return;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, at);
    waiting.push({ kind, text: text.slice(0, MAX_TEXT), stack: stack.slice(0, MAX_STACK) });
    if (!isSending) {
      isSending = true;
      setTimeout(send, SEND_AFTER_MS);
    }
  }

  // Whatever a page throws or logs may throw itself when it is looked at.
  function quietly(work) {
    return (...given) => {
      try {
        return work(...given);
      } catch {
        return "";
      }
    };
  }

  const described = quietly((value) => {
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (typeof value === "object" && value !== null) return encode(value) ?? String(value);
    return String(value);
  });
  const stackOf = quietly((value) => (value instanceof Error ? String(value.stack) : ""));

  // What the console would show: `%s` and its kin take the arguments that follow.
  function formatted([first, ...rest]) {
    if (typeof first !== "string") return [first, ...rest].map(described).join(" ");
    const text = first.replace(/%[sdifoOc%]/g, (mark) => {
      if (mark === "%%" || rest.length === 0) return mark;
      const value = described(rest.shift());
      return mark === "%c" ? "" : value;
    });
    return [text, ...rest.map(described)].join(" ");
  }

  // React tells in this form of an error that one of the app's error boundaries has caught.
  function caughtByReact([first, error]) {
    return typeof first === "string" && first.startsWith("%o\n\n%s") && error instanceof Error;
  }

  const thrown = quietly((event) => {
    const text = event.error == null ? String(event.message) : described(event.error);
    const place = event.filename ? `\n    at ${event.filename}:${event.lineno}:${event.colno}` : "";
    tell("thrown", text, stackOf(event.error) + place);
  });
  const rejected = quietly((event) => {
    tell("thrown", described(event.reason), stackOf(event.reason));
  });
  const logged = quietly((given) => {
    if (caughtByReact(given)) tell("thrown", described(given[1]), stackOf(given[1]));
    tell("logged", formatted(given), "");
  });

  addEventListener("error", (event) => {
    if (event instanceof ErrorEvent) thrown(event);
  });
  addEventListener("unhandledrejection", rejected);
  addEventListener("pagehide", quietly(send));
  console.error = function error(...given) {
    logged(given);
    return consoleError.apply(this, given);
  };
  tell("loaded", "", "");
})();
