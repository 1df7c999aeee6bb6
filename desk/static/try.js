// The page for trying the chat: its questions go into the widget, and the widget learns who writes.
"use strict";
const chat = document.querySelector("lanewise-chat");
for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => chat.ask(button.dataset.ask));
}
document.querySelector("#who").addEventListener("change", (event) => event.target.form.submit());
