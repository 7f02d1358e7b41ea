// What makes the pages pleasant. Every page works without it.
"use strict";

// Moments in the reader's own zone.
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const showTimes = (within) => {
  for (const time of within.querySelectorAll("time[datetime]:not([data-shown])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    time.textContent = local.format(at);
    time.dataset.shown = "";
  }
};

// A menu closes when something else is chosen, and with Escape.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-menu]")));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// A second click on a button that sends something does nothing for a second. What it would do
// twice the server does once; this only spares the waiting.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.target) return;
  if (form.dataset.sent && Date.now() - form.dataset.sent < 1000) event.preventDefault();
  else form.dataset.sent = Date.now();
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

showTimes(document);
document.querySelector("[data-focus]")?.focus();
