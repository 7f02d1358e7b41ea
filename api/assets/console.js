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
  if (form.method !== "post" || form.target || event.submitter?.formTarget) return;
  if (form.dataset.sent && Date.now() - form.dataset.sent < 1000) event.preventDefault();
  else form.dataset.sent = Date.now();
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A list to tick: all of this page at once, a range with Shift, and the number as it changes.
const makeTickable = (table) => {
  const boxes = [...table.querySelectorAll("input[name=user]")];
  const count = table.closest("form").querySelector("[data-count]");
  const others = Number(count?.dataset.count) - boxes.filter((box) => box.checked).length;
  const all = Object.assign(document.createElement("input"), { type: "checkbox", ariaLabel: "Select everybody on this page" });
  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && !all.checked;
    if (count) count.textContent = (others + ticked).toLocaleString("en");
  };
  let last = null;
  table.addEventListener("click", (event) => {
    const at = boxes.indexOf(event.target);
    if (at < 0) return;
    if (event.shiftKey && last !== null) {
      for (const box of boxes.slice(Math.min(at, last), Math.max(at, last))) box.checked = event.target.checked;
    }
    last = at;
  });
  table.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes) box.checked = all.checked;
    tell();
  });
  table.querySelector("thead .tick").append(all);
  tell();
};

document.documentElement.classList.add("script");
for (const table of document.querySelectorAll("[data-ticks]")) makeTickable(table);

// Choices whose consequences the server works out are sent when they change.
for (const form of document.querySelectorAll("form[data-auto]")) form.addEventListener("change", () => form.requestSubmit());
for (const choice of document.querySelectorAll("[data-list] select")) {
  choice.addEventListener("change", () => choice.form.requestSubmit(choice.form.querySelector("button[value=search]")));
}

// The editor of a system email.
const letter = document.querySelector("form[data-letter]");
if (letter) {
  // A field is put in where the cursor was last; the browser can undo it.
  let place = letter.elements.body;
  letter.addEventListener("focusin", ({ target }) => {
    if (["subject", "body"].includes(target.name)) place = target;
  });
  for (const code of letter.querySelectorAll("[data-insert]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = code.textContent;
    button.setAttribute("aria-label", `Insert ${code.textContent}`);
    button.addEventListener("click", () => {
      place.focus();
      document.execCommand("insertText", false, code.textContent);
    });
    code.replaceWith(button);
  }
  for (const hint of letter.querySelectorAll("[data-count]")) {
    const [field, most] = [letter.elements[hint.dataset.count], Number(hint.dataset.most)];
    const count = () => {
      const typed = [...field.value].length;
      hint.textContent = `${typed.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
      hint.classList.toggle("fault", typed > most);
    };
    field.addEventListener("input", count);
    count();
  }
  for (const link of document.querySelectorAll("a[data-line]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const field = letter.elements[link.hash.slice(1)];
      const lines = field.value.split("\n").slice(0, link.dataset.line);
      lines.push([...lines.pop()].slice(0, link.dataset.column - 1).join(""));
      const at = lines.join("\n").length;
      field.setSelectionRange(at, at);
      field.focus();
    });
  }
  // The preview follows what is typed. Each comes in a frame of its own, so that the button Back
  // leads to the page before and not through them, and the last stays until the next is there.
  // With a name of its own too: a frame may go on listening to one that was taken from it.
  let [shown, coming, pause] = [letter.querySelector("iframe[name='preview']")];
  let button = letter.querySelector("[formtarget='preview']");
  let isUnsaved = "unsaved" in letter.dataset;
  letter.addEventListener("submit", ({ submitter }) => {
    if (!submitter?.formTarget) {
      isUnsaved = false;
      return;
    }
    clearTimeout(pause);
    button = submitter;
    coming?.remove();
    const frame = (coming = shown.cloneNode());
    frame.removeAttribute("src");
    frame.hidden = true;
    frame.name = submitter.formTarget = `preview-${Date.now()}-${Math.random()}`;
    shown.after(frame);
    frame.addEventListener("load", () => {
      shown.remove();
      [shown, coming, frame.hidden] = [frame, undefined, false];
    }, { once: true });
  });
  letter.addEventListener("input", ({ target }) => {
    if (target.name === "to") return;
    isUnsaved ||= target === place;
    clearTimeout(pause);
    pause = setTimeout(() => letter.requestSubmit(button), 400);
  });
  window.addEventListener("beforeunload", (event) => isUnsaved && event.preventDefault());
  if (isUnsaved) letter.requestSubmit(button);
}

showTimes(document);
document.querySelector("[data-focus]")?.focus();
