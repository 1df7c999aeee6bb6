// The pages beside the three panes, audits and reviews: keys, windows, and the server's refusals in words.
(function () {
  "use strict";
  const $ = (selector, within) => (within || document).querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const state = { acting: false, scroll: 0 };

  function tell(words) {
    const said = document.createElement("p");
    said.className = "alert alert-danger";
    said.textContent = words;
    $("#told").replaceChildren(said);
  }

  // ── answers of the server ────────────────────────────────────────────────────────────────────────────────
  const posted = (event) => event.detail.requestConfig && event.detail.requestConfig.verb === "post";
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!posted(event)) return;
    if (state.acting) { event.preventDefault(); return; }
    state.acting = true;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!posted(event)) return;
    state.acting = false;
    const dialog = event.detail.successful && event.detail.requestConfig.elt.closest("dialog[open]");
    if (dialog) dialog.close();
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (posted(event)) tell("The server did not answer. Nothing is known to have been recorded; what you typed stands. Try again: the same verdict or decision is never recorded twice.");
    state.acting = false;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 400 && status !== 401) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
      event.detail.target = $("#told");
      event.detail.swapOverride = "innerHTML";
      const dialog = event.detail.requestConfig.elt.closest("dialog[open]");
      if (dialog) dialog.close();
    }
    const list = $("#rows");
    if (list) state.scroll = list.scrollTop;
    if (status < 400 && !posted(event) && event.detail.target.id === "work") $("#told").replaceChildren();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "work") return;
    const list = $("#rows"), here = $("[data-here]"), head = $("#work h1"), open = $("#rows .row-item.open");
    if (list) list.scrollTop = state.scroll;
    if (open) open.scrollIntoView({ block: "nearest" });
    if (here) history.replaceState(null, "", here.dataset.here);
    if (head) head.focus({ preventScroll: true });
    says();
  });

  // ── the verdict, said back before it is recorded ─────────────────────────────────────────────────────────
  function says() {
    const form = $("#verdict"), out = $("#says");
    if (!form || !out) return;
    const chosen = $("[name=escalate]:checked", form);
    if (!chosen) { out.textContent = "Nothing is said yet. A verdict is given once, and not changed."; return; }
    const named = Array.from(form.querySelectorAll("[name=trigger]:checked")).map((one) => one.dataset.says);
    const fault = $("[name=fault]:checked", form).dataset.says;
    out.textContent = [chosen.dataset.says + (named.length ? " (" + named.join(", ") + ")" : ""), fault].filter(Boolean).join("; ") + ". It is given once, and not changed.";
  }
  function choose(name, value) {
    const box = $("#verdict [name=" + name + "][value=" + value + "]");
    if (!box) return;
    box.checked = true;
    changed(box);
  }
  function toggle(number) {
    const box = $("#trigger-" + number);
    if (!box) return;
    box.checked = !box.checked;
    changed(box);
  }
  // A trigger that should have fired says yes, and no takes them all back.
  function changed(box) {
    const form = box.form;
    if (box.name === "trigger" && box.checked) $("[name=escalate][value=yes]", form).checked = true;
    if (box.name === "escalate" && box.value === "no") form.querySelectorAll("[name=trigger]:checked").forEach((one) => { one.checked = false; });
    says();
  }
  document.addEventListener("change", (event) => { if (event.target.closest("#verdict")) changed(event.target); });

  // ── the list and the windows ─────────────────────────────────────────────────────────────────────────────
  function move(by) {
    const rows = all("#rows [data-row]"), at = rows.findIndex((one) => one.getAttribute("aria-current"));
    const to = at < 0 ? rows[0] : rows[at + by];
    if (to) to.click();
  }
  function show(name) {
    const dialog = document.getElementById("dialog-" + name);
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const first = $("input:not([type=hidden]), textarea", dialog);
    if (first) first.focus();
  }
  document.addEventListener("click", (event) => {
    const opens = event.target.closest("[data-dialog]");
    if (opens) show(opens.dataset.dialog);
    if (event.target.closest("[data-close]")) all("dialog[open]").forEach((dialog) => dialog.close());
  });
  // Forms are sent by htmx; none may ever leave as an address, with what was typed in it.
  document.addEventListener("submit", (event) => { if (event.target.matches("[hx-post]")) event.preventDefault(); });

  // ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────
  const press = (selector) => () => { const found = $(selector); if (found && !found.disabled) found.click(); };
  const into = (selector) => () => { const found = $(selector); if (found) found.focus(); };
  const keys = {
    n: () => choose("escalate", "no"), y: () => choose("escalate", "yes"),
    w: () => choose("fault", "wording"), b: () => choose("fault", "boundary"), m: () => choose("fault", "missing_signal"), 0: () => choose("fault", "none"),
    i: into("#note"), j: () => move(1), k: () => move(-1),
    d: () => show("draw"), r: press("#report-link"), q: press("#queue-link"),
    o: press("#open-review"), c: into("#decision"), "?": () => show("help"),
    Enter: () => { const form = $("#verdict"); if (form) form.requestSubmit(); },
  };
  for (let number = 1; number <= 6; number += 1) keys[number] = () => toggle(number);
  document.addEventListener("keydown", (event) => {
    const inside = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && inside) {
      event.preventDefault();
      if (inside.form) inside.form.requestSubmit();
      return;
    }
    if (event.key === "Escape" && inside && !inside.closest("dialog")) { inside.blur(); return; }
    if (inside || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if ($("dialog[open]")) return;
    const act = keys[event.key];
    if (!act || (event.key === "Enter" && event.target.closest("a, button, summary"))) return;
    event.preventDefault();
    act();
  });

  says();
  document.documentElement.dataset.ready = "yes";
})();
