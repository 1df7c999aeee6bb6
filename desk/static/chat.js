// The chat widget, <lanewise-chat>: see docs/chat.md.
(() => {
"use strict";
const HOME = document.currentScript ? new URL(document.currentScript.src).origin : location.origin;
const RTL = /^(ar|fa|he|ur)\b/;
const ENGLISH = {
 title: "Support", launch: "Open support chat", hide: "Close chat", fresh: "New conversation",
 ai: "You are writing with an automated assistant (AI)",
 hello: "Hello. I am an automated assistant (AI), not a person. I answer from approved help articles; anything else goes to a colleague. You can ask for a person at any time.",
 file: "Attach a file", customer: "You", assistant: "Automated assistant", agent: "A colleague", log: "Conversation", field: "Your message",
 send: "Send", person: "Talk to a person", settled: "That settles it", wish: "I would like to talk to a person.",
 looking: "Looking that up …", asked: "A colleague will read this.", taken: "A colleague has taken this over.",
 closed: "This conversation is closed. Write again at any time to open it.",
 offline: "No connection. What you write is kept, and sent when it is back.", sending: "Sending …",
 contact: "Nobody has taken this yet. Leave an address for a reply, in case you close this page:",
 email: "E-mail address", leave: "Leave address", kept: "Thank you, the address is kept for the people who answer.",
 bad: "This is not an address we can use.", failed: "This was not sent: ", erased: "(erased)",
 mailed: "This was answered by e-mail, since you had left.",
};
const STYLE = `
:host{color-scheme:light dark;--a:var(--lanewise-accent,light-dark(#1f5fbf,#7db2ff));--oa:var(--lanewise-on-accent,light-dark(#fff,#0c1626));--s:var(--lanewise-surface,light-dark(#fff,#171c24));--t:var(--lanewise-text,light-dark(#1b2330,#e8ecf3));--m:var(--lanewise-muted,light-dark(#566072,#a4afc0));--b:var(--lanewise-bubble,light-dark(#eef1f6,#252c38));--l:var(--lanewise-line,light-dark(#d5dbe5,#3a4352));--r:var(--lanewise-radius,14px);font:400 15px/1.5 var(--lanewise-font,system-ui,sans-serif);color:var(--t)}
*{box-sizing:border-box}[hidden]{display:none!important}
button,textarea,input{font:inherit;color:inherit}button{cursor:pointer}
:focus-visible{outline:2px solid var(--a);outline-offset:2px}
.launch,.panel{position:fixed;inset-inline-end:20px;z-index:99999}.launch{inset-block-end:20px;width:56px;height:56px;border:0;border-radius:50%;background:var(--a);color:var(--oa);box-shadow:0 6px 20px #0004;display:grid;place-items:center}
svg{width:24px;height:24px;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.panel{inset-block-end:88px;width:min(390px,calc(100vw - 32px));height:min(640px,calc(100vh - 112px));display:flex;flex-direction:column;background:var(--s);border:1px solid var(--l);border-radius:var(--r);box-shadow:0 16px 48px #0003;overflow:hidden}
:host([inline]) .panel{position:static;width:100%;height:100%;min-height:440px;box-shadow:none}:host([inline]) .launch,:host([inline]) .hide{display:none}
header{display:flex;gap:4px;align-items:center;padding-block:12px;padding-inline:16px 8px;border-block-end:1px solid var(--l)}
header div{flex:1;min-width:0}h2{margin:0;font-size:16px;line-height:1.3}header p,.who,.state{margin:0;font-size:12.5px;color:var(--m)}
.icon{width:36px;height:36px;border:0;border-radius:9px;background:none;color:var(--m);display:grid;place-items:center}.icon:hover{background:var(--b);color:var(--t)}.icon svg{width:19px;height:19px}
.log{flex:1;overflow-y:auto;padding:16px;display:flex;flex-direction:column;gap:12px;overscroll-behavior:contain}
.line{max-width:86%;align-self:flex-start}.who{margin-block-end:3px;display:flex;gap:8px}
.text{background:var(--b);padding:9px 13px;border-radius:var(--r);border-start-start-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.agent .text{border-inline-start:3px solid var(--a)}.customer{align-self:flex-end}.customer .who{justify-content:flex-end}
.customer .text{background:var(--a);color:var(--oa);border-radius:var(--r);border-end-end-radius:4px}.wait .text{opacity:.65}
.state{min-height:22px;padding:0 16px 8px}.state.busy::before{content:"";display:inline-block;width:7px;height:7px;margin-inline-end:8px;border-radius:50%;background:var(--a);animation:p 1.2s ease-in-out infinite}
@keyframes p{50%{opacity:.25}}@media(prefers-reduced-motion:reduce){*{animation:none!important;scroll-behavior:auto!important}}
.contact{margin:0 16px 12px;padding:12px;border:1px solid var(--l);border-radius:10px;font-size:13.5px}.contact label{display:block;margin-block-end:8px}.row{display:flex;gap:8px}
input,textarea{flex:1;min-width:0;padding:9px 12px;border:1px solid var(--m);border-radius:10px;background:var(--s);resize:none}
.solid,.plain{border-radius:10px;padding:8px 14px;border:1px solid var(--a);background:var(--a);color:var(--oa);font-weight:600}.plain{background:none;color:var(--a);font-weight:500;font-size:13px;padding:5px 11px}
footer{border-block-start:1px solid var(--l);padding:10px 16px 14px}.acts{display:flex;flex-wrap:wrap;gap:8px;margin-block-end:10px}
@media(max-width:480px){:host(:not([inline])) .panel{inset:0;width:100%;height:100%;border:0;border-radius:0}}
@media(forced-colors:active){.text,.launch{border:1px solid}}`;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const pause = (error, tries) =>
 sleep(error.after ? error.after * 1000 : Math.min(10000, 400 * 2 ** tries) * (0.7 + Math.random() / 2));
// What hides in a text or turns it round is shown as a sign; joiners stay.
const harmless = (t) => t.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, "\ufffd");
const make = (tag, props = {}, ...inside) => {
 const { attrs = {}, ...own } = props;
 const made = Object.assign(document.createElement(tag), own);
 for (const [name, value] of Object.entries(attrs)) made.setAttribute(name, value);
 made.append(...inside);
 return made;
};
const icon = (d) => {
 const [svg, line] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
 svg.setAttribute("viewBox", "0 0 24 24");
 svg.setAttribute("aria-hidden", "true");
 line.setAttribute("d", d);
 svg.append(line);
 return svg;
};
const again = (e) => !(e instanceof Refused) || e.status === 429 || e.status >= 500;
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
class Refused extends Error {
 constructor(status, told, after) {
  super(told.error || `HTTP ${status}`);
  Object.assign(this, { status, code: told.code || "", after });
 }
}

class LanewiseChat extends HTMLElement {
 static observedAttributes = ["lang", "labels"];
 #kept = { id: "", secret: "", pending: [] };
 #lines = new Map();
 #state = { state: "new" };
 #said = "";
 #pumping = false;
 #ear = null;
 #ui = null;

 connectedCallback() {
  this.api = this.getAttribute("api") || HOME;
  this.slotName = `lanewise-chat:${this.api}:${this.getAttribute("name") || ""}`;
  this.#read();
  addEventListener("online", this.#begin);
  this.#build();
  this.#learn().then(() => this.#w !== ENGLISH && this.#build());
  if (this.hasAttribute("inline") || this.hasAttribute("open")) this.open(false);
  if (this.#kept.id || this.#kept.pending.length) this.#begin();
 }
 disconnectedCallback() {
  removeEventListener("online", this.#begin);
  this.#ear?.abort();
  this.#ear = null;
 }
 async attributeChangedCallback() {
  if (!this.#ui) return;
  await this.#learn();
  this.#build();
 }

 /** Shows the panel. */
 open(focus = true) {
  this.#ui.panel.hidden = false;
  this.#ui.launch.setAttribute("aria-expanded", "true");
  this.#down();
  if (focus) this.#ui.field.focus();
 }
 /** Hides it. */
 close() {
  if (this.hasAttribute("inline")) return;
  this.#ui.panel.hidden = true;
  this.#ui.launch.setAttribute("aria-expanded", "false");
  this.#ui.launch.focus();
 }
 /** Writes for the customer. */
 ask(text) {
  this.open(false);
  this.#put("messages", text);
 }
 /** Begins a new conversation; this browser forgets the old one. */
 fresh() {
  this.#ear?.abort();
  this.#ear = null;
  Object.assign(this.#kept, { id: "", secret: "" });
  this.#save();
  this.#lines.clear();
  this.#sent = [];
  this.#state = { state: "new" };
  this.#said = "";
  this.#draw();
 }

 // ── what this browser holds ──
 #read() {
  try {
   Object.assign(this.#kept, JSON.parse(localStorage.getItem(this.slotName) || "{}"));
  } catch {} // no storage
 }
 #save() {
  try {
   localStorage.setItem(this.slotName, JSON.stringify(this.#kept));
  } catch {}
 }

 // ── the way there and back ──
 async #identity() {
  const url = this.getAttribute("identity-url");
  if (this.identity) return (await this.identity()) || "";
  if (!url) return "";
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" });
  return answer.ok ? (await answer.text()).trim() : "";
 }
 async #call(method, path, body, more = {}) {
  const json = body && !(body instanceof Blob);
  const headers = { ...(json ? { "Content-Type": "application/json" } : {}), ...more.headers };
  if (this.#kept.secret && path) headers.Authorization = `Bearer ${this.#kept.secret}`;
  headers["Lanewise-Identity"] = await this.#identity();
  const url = `${this.api}/chat/conversations${path ? `/${this.#kept.id}${path}` : ""}`;
  const answer = await fetch(url, { method, headers, body: json ? JSON.stringify(body) : body, signal: more.signal, credentials: "omit" });
  if (answer.ok) return answer;
  throw new Refused(answer.status, await answer.json().catch(() => ({})), Number(answer.headers.get("Retry-After")) || 0);
 }
 #put(kind, text) {
  this.#kept.pending.push({ kind, key: newKey(), text });
  this.#save();
  this.#draw();
  this.#down();
  this.#begin();
 }
 #begin = () => {
  this.#pump();
  this.#listen();
 };
 // At least once: a key is kept until it is recorded.
 async #pump() {
  if (this.#pumping) return;
  this.#pumping = true;
  for (let tries = 0; this.#kept.pending.length && this.isConnected; ) {
   const thing = this.#kept.pending[0];
   try {
    if (!this.#kept.id) {
     const made = await (await this.#call("POST", "", {})).json();
     Object.assign(this.#kept, { id: made.id, secret: made.secret });
     this.#save();
     this.#listen();
    }
    const { kind, ...body } = thing;
    await this.#call("POST", `/${kind}`, body);
    if (kind === "messages") this.#sent.push({ ...thing, sent: true });
    this.#done(thing);
    this.#tell("");
    tries = 0;
   } catch (error) {
    if (this.#lost(error)) continue;
    if (!again(error)) {
     this.#done(thing);
     this.#tell(this.#w.failed + error.message);
     if (thing.text && !this.#ui.field.value) this.#ui.field.value = thing.text;
     continue;
    }
    this.#tell(error instanceof Refused ? error.message : this.#w.offline);
    await pause(error, tries++);
   }
  }
  this.#pumping = false;
 }
 #done(thing) {
  this.#kept.pending = this.#kept.pending.filter((one) => one !== thing);
  this.#save();
  this.#draw();
 }
 #sent = [];
 // One that is gone or another's by now: a new one takes what waits.
 #lost(error) {
  const gone = ["unknown", "other_identity", "identity_needed"].includes(error.code);
  if (gone) this.fresh();
  // An identity that is not accepted is left out.
  if (error.code !== "identity") return gone;
  console.warn("lanewise-chat:", error.message);
  this.identity = () => "";
  return true;
 }
 async #listen() {
  if (this.#ear || !this.#kept.id) return;
  const ear = (this.#ear = new AbortController());
  for (let tries = 0; this.#ear === ear; ) {
   try {
    const headers = { "Last-Event-ID": String(this.#lines.size) };
    const answer = await this.#call("GET", "/events", null, { headers, signal: ear.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
     const { done, value } = await reader.read();
     if (done) break;
     tries = 0;
     if (this.#said === this.#w.offline) this.#tell("");
     const parts = (rest + value).split("\n\n");
     rest = parts.pop();
     parts.forEach((part) => this.#heard(part));
    }
    await sleep(300);
   } catch (error) {
    if (this.#ear !== ear) return;
    if (this.#lost(error)) continue;
    if (!(error instanceof Refused)) this.#tell(this.#w.offline);
    await pause(error, tries++);
   }
  }
  if (this.#ear === ear) this.#ear = null;
 }
 #heard(part) {
  const kind = /^event: (.*)$/m.exec(part)?.[1];
  if (!kind) return;
  const told = JSON.parse(/^data: (.*)$/m.exec(part)[1]);
  if (kind === "line") {
   this.#lines.set(told.number, told);
   this.#sent = this.#sent.filter((one) => one.key !== told.key);
  } else {
   this.#state = told;
   this.dispatchEvent(new CustomEvent("lanewise-state", { detail: told.state }));
  }
  this.#draw();
  if (kind === "line") this.#down();
 }

 // ── what is seen ──
 #lang = "en";
 #w = ENGLISH;
 // English where we have no words of the page's language.
 async #learn() {
  const asked = (this.lang || document.documentElement.lang || navigator.language || "en").slice(0, 2).toLowerCase();
  const said = this.getAttribute("labels");
  let found = {}, own = {};
  try {
   if (asked !== "en") found = await (await fetch(`${this.api}/chat/words/${asked}`, { credentials: "omit" })).json();
   if (said) own = JSON.parse(said);
  } catch (error) {
   console.warn("lanewise-chat:", error.message);
  }
  this.#lang = found.title || own.title ? asked : "en";
  this.#w = found.title || said ? { ...ENGLISH, ...found, ...own } : ENGLISH;
 }
 #build() {
  const w = this.#w, lang = this.#lang, shut = this.#ui ? this.#ui.panel.hidden : true;
  const root = this.shadowRoot || this.attachShadow({ mode: "open" });
  if (!root.adoptedStyleSheets.length) {
   const sheet = new CSSStyleSheet();
   sheet.replaceSync(STYLE);
   root.adoptedStyleSheets = [sheet];
  }
  const button = (className, label, act, path) =>
   path ? make("button", { type: "button", className, title: label, onclick: act, attrs: { "aria-label": label } }, icon(path))
    : make("button", { type: "button", className, textContent: label, onclick: act });
  const ui = (this.#ui = {
   log: make("div", { className: "log", tabIndex: 0, attrs: { role: "log", "aria-live": "polite", "aria-label": w.log } }),
   state: make("div", { className: "state", attrs: { role: "status" } }),
   field: make("textarea", { rows: 2, maxLength: 8000, placeholder: w.field, dir: "auto", attrs: { "aria-label": w.field } }),
   email: make("input", { type: "email", id: "email", autocomplete: "email", placeholder: w.email, required: true, dir: "ltr" }),
   person: button("plain", w.person, () => this.#put("person")),
   settled: button("plain", w.settled, () => this.#put("close")),
   pick: make("input", { type: "file", hidden: true, onchange: () => this.#attach(ui.pick) }),
   file: button("plain", w.file, () => ui.pick.click()),
   launch: button("launch", w.launch, () => (ui.panel.hidden ? this.open() : this.close()), "M21 12a8 8 0 0 1-8 8H4l2.2-3.3A8 8 0 1 1 21 12Z"),
  });
  ui.launch.setAttribute("aria-expanded", String(!shut));
  ui.launch.setAttribute("aria-controls", "panel");
  ui.contact = make("form", { className: "contact", hidden: true, onsubmit: (e) => this.#leave(e) },
   make("label", { htmlFor: "email", textContent: w.contact }), make("div", { className: "row" }, ui.email, make("button", { className: "solid", textContent: w.leave })));
  const form = make("form", { className: "row", onsubmit: (e) => this.#submit(e) }, ui.field, make("button", { className: "solid", textContent: w.send }));
  ui.field.onkeydown = (e) => {
   if (e.key === "Enter" && !e.shiftKey && !e.isComposing) this.#submit(e);
  };
  ui.panel = make("section", { className: "panel", id: "panel", hidden: shut, lang, dir: RTL.test(lang) ? "rtl" : "ltr", attrs: { role: "dialog", "aria-label": w.title } },
   make("header", {}, make("div", {}, make("h2", { textContent: w.title }), make("p", { textContent: w.ai })),
    button("icon", w.fresh, () => (this.fresh(), ui.field.focus()), "M12 5v14M5 12h14"), button("icon hide", w.hide, () => this.close(), "M6 6l12 12M18 6 6 18")),
   ui.log, ui.state, ui.contact, make("footer", {}, make("div", { className: "acts" }, ui.file, ui.pick, ui.person, ui.settled), form));
  ui.panel.onkeydown = (e) => void (e.key === "Escape" && this.close());
  ui.launch.dir = ui.panel.dir;
  root.replaceChildren(ui.launch, ui.panel);
  ui.log.append(this.#bubble({ role: "assistant", text: w.hello }));
  this.#draw();
 }
 #bubble({ role, text, at, erased, mailed, asks_person, waiting }) {
  const w = this.#w;
  const who = make("div", { className: "who" }, make("span", { textContent: w[role] }));
  if (at) {
   const told = new Date(at).toLocaleTimeString(this.#lang, { hour: "2-digit", minute: "2-digit" });
   who.append(make("time", { dateTime: at, textContent: told }));
  }
  if (waiting) who.append(make("span", { textContent: w.sending }));
  const words = erased ? w.erased : mailed ? w.mailed : asks_person ? w.wish : harmless(text);
  return make("div", { className: `line ${role}${waiting ? " wait" : ""}` }, who, make("div", { className: "text", dir: "auto", textContent: words }));
 }
 #draw() {
  const ui = this.#ui, now = this.#state, w = this.#w;
  // Only what is new is put in: a screen reader is told each thing once.
  const shown = new Map([...ui.log.children].slice(1).map((one) => [one.dataset.key, one]));
  const have = new Set([...this.#lines.values()].map((line) => line.key));
  const wanted = [...[...this.#lines.values()].sort((a, b) => a.number - b.number).map((line) => [`l${line.number}`, line]),
   ...[...this.#sent, ...this.#kept.pending].filter((one) => one.kind === "messages" && !have.has(one.key))
    .map((one) => [`p${one.key}${one.sent ? "s" : ""}`, { role: "customer", text: one.text, waiting: !one.sent }])];
  let before = ui.log.firstElementChild;
  for (const [key, line] of wanted) {
   const made = shown.get(key) || this.#bubble(line);
   shown.delete(key);
   made.dataset.key = key;
   if (before.nextElementSibling !== made) before.after(made);
   before = made;
  }
  shown.forEach((one) => one.remove());
  const busy = now.state === "looking" || this.#kept.pending.length > 0;
  const said = this.#said || { looking: w.looking, asked: w.asked, taken: w.taken, closed: w.closed }[now.state] || "";
  if (ui.state.textContent !== said) ui.state.textContent = said;
  ui.state.classList.toggle("busy", busy && Boolean(said));
  ui.contact.hidden = !now.asks_contact;
  ui.person.hidden = now.person_asked || now.state === "taken" || this.#kept.pending.some((one) => one.kind === "person");
  ui.file.hidden = !this.#kept.id;
  ui.settled.hidden = now.state !== "answered";
 }
 #tell(said) {
  this.#said = said;
  this.#draw();
 }
 #down() {
  this.#ui.log.scrollTop = 1e9;
 }
 #submit(event) {
  event.preventDefault();
  const text = this.#ui.field.value.trim();
  if (!text) return;
  this.#ui.field.value = "";
  this.#put("messages", text);
 }
 async #attach(pick) {
  const [file] = pick.files;
  pick.value = "";
  if (!file) return;
  const path = `/files?key=${newKey()}&name=${encodeURIComponent(file.name)}`;
  for (let tries = 0; ; )
   try {
    this.#tell(this.#w.sending);
    await this.#call("POST", path, file);
    return this.#tell("");
   } catch (error) {
    if (again(error) && tries < 9) await pause(error, tries++);
    else return this.#tell(this.#w.failed + (error.code ? error.message : file.name));
   }
 }
 async #leave(event) {
  event.preventDefault();
  try {
   await this.#call("POST", "/contact", { email: this.#ui.email.value.trim() });
   this.#state = { ...this.#state, asks_contact: false };
   this.#tell(this.#w.kept);
   this.#ui.field.focus();
  } catch (error) {
   this.#tell(error instanceof Refused ? this.#w.bad : this.#w.offline);
  }
 }
}
if (!customElements.get("lanewise-chat")) customElements.define("lanewise-chat", LanewiseChat);
})();
