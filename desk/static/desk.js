// The desk: keys, news, and the person's typed text, which no answer of the server may take away.
(function () {
  "use strict";
  const $ = (selector, within) => (within || document).querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const desk = $("#desk");
  const state = { row: null, wait: "", drafts: new Map(), picks: new Set(), loaded: performance.now() };

  // ── what was typed ───────────────────────────────────────────────────────────────────────────────────────
  const kept = {
    key: (ticket) => "lanewise-text " + ($(".bar .who") || {}).textContent + " " + ticket, // another person's is not shown
    save() {
      const box = $("#text"), pane = $(".conversation[data-ticket]");
      if (!box || !pane) return;
      const typed = box.value !== box.defaultValue;
      try {
        if (typed) sessionStorage.setItem(kept.key(pane.dataset.ticket), box.value);
        else sessionStorage.removeItem(kept.key(pane.dataset.ticket));
      } catch (_) { /* a full or closed store keeps nothing; the page itself still does */ }
    },
    restore() {
      const box = $("#text"), pane = $(".conversation[data-ticket]");
      if (!box || !pane) return;
      const text = sessionStorage.getItem(kept.key(pane.dataset.ticket));
      if (text !== null && text !== box.value) { box.value = text; htmx.trigger(box, "input"); }
    },
    forget() {
      const pane = $(".conversation[data-ticket]");
      if (pane) sessionStorage.removeItem(kept.key(pane.dataset.ticket));
    },
    forgetAll() {
      for (const name of Object.keys(sessionStorage)) if (name.startsWith("lanewise-text ")) sessionStorage.removeItem(name);
    },
    typed() { const box = $("#text"); return Boolean(box && box.value !== box.defaultValue); },
  };
  document.addEventListener("input", (event) => { if (event.target.id === "text") kept.save(); });
  document.addEventListener("submit", (event) => { if (event.target.getAttribute("action") === "/sign-out") kept.forgetAll(); });

  const busy = () => Boolean(kept.typed() || $("dialog[open]") || document.activeElement.id === "text" || state.acting);
  function tell(words, kind) {
    const said = document.createElement("p");
    said.className = "alert alert-" + kind;
    said.textContent = words;
    $("#told").replaceChildren(said);
  }

  // ── answers of the server ────────────────────────────────────────────────────────────────────────────────
  document.addEventListener("htmx:beforeRequest", (event) => {
    const path = event.detail.requestConfig.path;
    if (!path.startsWith("/desk/act/")) return;
    if (state.acting) { event.preventDefault(); return; }
    state.acting = true;
    state.sending = path === "/desk/act/approve" || path === "/desk/act/answer" ? $(".conversation").dataset.ticket : null;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const path = event.detail.requestConfig.path;
    if (path.startsWith("/desk/act/")) state.acting = false;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 400 && status !== 401) {
      event.detail.shouldSwap = event.detail.requestConfig.verb === "post" || event.detail.requestConfig.path.startsWith("/desk/ticket?ticket=");
      event.detail.isError = false;
      event.detail.target = $("#told");
      event.detail.swapOverride = "innerHTML";
      closeOf(event.detail.requestConfig.elt);
    }
    if (status === 200 && state.sending && event.detail.requestConfig.path.startsWith("/desk/act/")) { sessionStorage.removeItem(kept.key(state.sending)); state.sending = null; }
    const asked = event.detail.requestConfig, pane = $(".conversation[data-ticket]");
    if (status === 200 && asked.path.startsWith("/desk/act/") && pane && asked.parameters.ticket !== pane.dataset.ticket) {
      // The person has opened another ticket meanwhile: they are told, and what they look at stays.
      event.detail.shouldSwap = false;
      const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html"), said = $("#told p", page);
      if (said) tell(asked.parameters.ticket + ": " + said.textContent, "success");
      queueAnew();
    }
    if (asked.path.startsWith("/desk/ticket?auto")) {
      if (busy() || (pane && !asked.path.endsWith("=" + encodeURIComponent(pane.dataset.ticket)))) event.detail.shouldSwap = false;
    }
    if (event.detail.target && event.detail.target.id === "queue") {
      state.scroll = $("#queue").scrollTop;
    }
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.requestConfig.verb === "post" && event.detail.requestConfig.path !== "/desk/foresee") tell("The server did not answer. Nothing is known to have been done; your text is kept. Try again: the same act is never done twice.", "danger");
    state.acting = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const id = event.detail.target.id;
    if (id === "ticket") {
      desk.dataset.open = "ticket";
      const pane = $(".conversation[data-ticket]");
      if (pane) {
        const address = new URL(location.href);
        address.searchParams.set("ticket", pane.dataset.ticket);
        history.replaceState(null, "", address);
        if (state.row !== pane.dataset.ticket) { const t = $("#thread"); if (t) t.scrollTop = t.scrollHeight; }
        state.row = pane.dataset.ticket;
      }
      kept.restore();
      mark();
      // After an act the keys are commands again; htmx would put the person back into the field.
      if (event.detail.requestConfig && ["/desk/act/approve", "/desk/act/answer"].includes(event.detail.requestConfig.path)) document.activeElement.blur();
      if (!event.detail.requestConfig || !event.detail.requestConfig.path.includes("again=true")) queueAnew();
      const thread = $("#thread");
      if (thread) thread.scrollTop = thread.scrollHeight;
    }
    if (id === "queue") { $("#queue").scrollTop = state.scroll || 0; repick(); mark(); }
    if (id === "since") {
      const changed = $("#since [data-changed]");
      if (changed && !busy()) refresh("auto=true&");
    }
    state.loaded = performance.now();
  });
  document.addEventListener("acted", () => queueAnew());

  // ── news ─────────────────────────────────────────────────────────────────────────────────────────────────
  const queueAnew = () => { const queue = $("#queue"); if (queue) htmx.trigger(queue, "refresh"); };
  function listen() {
    const source = new EventSource("/desk/live");
    source.addEventListener("happened", (event) => {
      $("#line").hidden = true;
      const names = JSON.parse(event.data), pane = $(".conversation[data-channel]");
      queueAnew();
      if (pane && (names.length === 0 || names.includes(pane.dataset.channel))) htmx.trigger("#since", "news");
    });
    source.addEventListener("error", () => {
      $("#line").hidden = false;
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    });
    source.addEventListener("open", () => { $("#line").hidden = true; });
  }

  // ── time that is left ────────────────────────────────────────────────────────────────────────────────────
  setInterval(() => {
    all("[data-left]").forEach((one) => {
      const begun = one.begun || (one.begun = { at: performance.now(), left: Number(one.dataset.left) });
      const left = Math.round(begun.left - (performance.now() - begun.at) / 1000), minutes = Math.floor(Math.abs(left) / 60);
      const long = minutes >= 60 ? Math.floor(minutes / 60) + " h " + (minutes % 60) + " min" : minutes + " min";
      one.textContent = left >= 0 ? long + " left" : "overdue by " + long;
      one.classList.toggle("over", left < 0);
      one.classList.toggle("soon", left >= 0 && left < 3600);
    });
  }, 15000);

  // ── the list ─────────────────────────────────────────────────────────────────────────────────────────────
  const rows = () => all("#queue .row-item");
  function mark() {
    const open = $(".conversation[data-ticket]");
    rows().forEach((row) => {
      row.classList.toggle("open", Boolean(open) && row.dataset.ticket === open.dataset.ticket);
      row.classList.toggle("at", row.dataset.ticket === state.row);
    });
  }
  function move(by) {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.dataset.ticket === state.row);
    const to = list[Math.max(0, Math.min(list.length - 1, at + by))];
    state.row = to.dataset.ticket;
    mark();
    to.scrollIntoView({ block: "nearest" });
  }
  const link = (ticket) => { const row = rows().find((r) => r.dataset.ticket === ticket); return row && $(".row-link", row); };
  function openRow() { const to = link(state.row); if (to) to.click(); }
  function openNext() {
    const list = rows(), pane = $(".conversation[data-ticket]");
    const at = pane ? list.findIndex((row) => row.dataset.ticket === pane.dataset.ticket) : -1;
    const to = list[at + 1] || (at > 0 || at === -1 ? list[0] : null);
    if (to) { state.row = to.dataset.ticket; $(".row-link", to).click(); }
  }
  function tab(name) { const radio = $("#filters [name=tab][value=" + name + "]"); if (radio) { radio.checked = true; htmx.trigger("#filters", "change"); } }
  function repick() {
    all(".pick").forEach((box) => { box.checked = state.picks.has(box.value); });
    count();
  }
  function count() {
    const chosen = all(".pick:checked").length, form = $("#bulk");
    if (!form) return;
    form.hidden = chosen === 0;
    $("#picked").textContent = String(chosen);
    if (!$("[name=key]", form).value) $("[name=key]", form).value = crypto.randomUUID ? crypto.randomUUID() : String(Date.now()) + Math.random();
  }
  document.addEventListener("change", (event) => {
    if (event.target.classList.contains("pick")) {
      if (event.target.checked) state.picks.add(event.target.value); else state.picks.delete(event.target.value);
      count();
    }
    if (event.target.matches("[data-chooses]")) choose(event.target);
    if (event.target.closest("#dialog-order")) says();
  });
  function pick() {
    const row = rows().find((r) => r.dataset.ticket === state.row), box = row && $(".pick", row);
    if (box) box.click();
  }

  // ── windows ──────────────────────────────────────────────────────────────────────────────────────────────
  function show(name) {
    const dialog = document.getElementById("dialog-" + name);
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const first = $("select, textarea, input:not([type=hidden])", dialog);
    if (first) first.focus();
    if (name === "order") says();
  }
  // The window that an act was done in, and no other: the person may have opened the next one.
  function closeOf(element) { const dialog = element && element.closest("dialog[open]"); if (dialog) dialog.close(); }
  function close() { all("dialog[open]").forEach((dialog) => dialog.close()); }
  function choose(select) {
    all("#dialog-order fieldset").forEach((set) => { const on = set.dataset.of === select.value; set.hidden = !on; set.disabled = !on; });
  }
  function says() {
    const form = $("#dialog-order form");
    if (!form) return;
    const given = Array.from(form.elements).filter((e) => e.name.startsWith("arg_") && !e.matches(":disabled"));
    $("#order-says").textContent = form.elements.action.value.replace(/_/g, " ") + " (" + given.map((e) => e.name.slice(4).replace(/_/g, " ") + ": " + (e.value || "…")).join(", ") + ")";
  }
  document.addEventListener("input", (event) => { if (event.target.closest("#dialog-order")) says(); });
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-dialog]");
    if (opens) show(opens.dataset.dialog);
    if (event.target.closest("[data-close]")) close();
    if (event.target.closest("[data-refresh]")) refresh();
    if (event.target.closest("[data-back]")) { desk.dataset.open = "queue"; }
  });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful && event.detail.requestConfig.verb === "post" && event.detail.requestConfig.path !== "/desk/foresee") closeOf(event.detail.requestConfig.elt); });
  function refresh(way) {
    const pane = $(".conversation[data-ticket]");
    if (!pane) return;
    kept.save();
    htmx.ajax("GET", "/desk/ticket?" + (way || "") + "again=true&ticket=" + encodeURIComponent(pane.dataset.ticket), { target: "#ticket", swap: "innerHTML" });
  }

  // ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────
  const press = (selector) => () => { const found = $(selector); if (found && !found.disabled) found.click(); };
  const keys = {
    j: () => move(1), k: () => move(-1), Enter: openRow, n: openNext, v: pick,
    V: () => { const form = $("#bulk"); if (form && !form.hidden) form.requestSubmit(); },
    a: press("#approve"), w: press("#answer"), c: press("#claim"), u: press("#release"), z: press("#resolve"),
    x: () => show("reject"), r: () => show("route"), t: () => show("transfer"), i: () => show("note"),
    l: () => show("lane"), y: () => show("triggers"), h: () => show("hand-back"), m: () => show("merge"),
    o: () => show("order"), d: () => show("action"), H: () => show("halt"), R: () => show("resume"), "?": () => show("help"),
    "+": press("#rate-saved"), "-": press("#rate-repeated"), "!": press("#rate-misled"), ".": () => refresh(),
    1: press("#name-lane [value='1']"), 2: press("#name-lane [value='2']"), 3: press("#name-lane [value='3']"),
    e: () => { const box = $("#text"); if (box) { box.focus(); box.setSelectionRange(box.value.length, box.value.length); } },
    f: () => { const first = $("#filters select"); if (first) first.focus(); },
    s: () => { all("#sources details").forEach((one) => { one.open = true; }); const sources = $("#sources"); if (sources) sources.scrollIntoView({ block: "start" }); },
    g: () => { state.wait = "g"; },
  };
  const lists = { w: "waiting", m: "mine", l: "live", r: "resolved" };
  document.addEventListener("keydown", (event) => {
    const inside = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && inside) {
      event.preventDefault();
      if (inside.form) inside.form.requestSubmit();
      return;
    }
    if (event.key === "Enter" && inside && inside.tagName === "SELECT" && inside.closest("dialog")) {
      event.preventDefault();
      inside.form.requestSubmit();
      return;
    }
    if (event.key === "Escape" && inside && !inside.closest("dialog")) { inside.blur(); return; }
    if (inside || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if ($("dialog[open]")) return;
    if (state.wait === "g") {
      state.wait = "";
      if (lists[event.key]) { event.preventDefault(); tab(lists[event.key]); return; }
    }
    const act = keys[event.key];
    if (!act) return;
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    event.preventDefault();
    act();
  });

  // Every form of the desk is sent by htmx; none may ever leave as an address, with what was typed in it.
  document.addEventListener("submit", (event) => { if (event.target.matches("[hx-post], [hx-get], .rate")) event.preventDefault(); });

  // Acts outside the composer's form carry its hidden fields: one ticket, one look, one key.
  document.addEventListener("DOMContentLoaded", () => { kept.restore(); mark(); count(); });
  if (document.readyState !== "loading") { kept.restore(); mark(); count(); }
  const pane = $(".conversation[data-ticket]");
  if (pane) state.row = pane.dataset.ticket;
  listen();
  document.documentElement.dataset.ready = "yes";
})();
