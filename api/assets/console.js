// Convenience for the pages. Every page works without it.
"use strict";

// Times in the browser's time zone.
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const showTimes = (within) => {
  for (const time of within.querySelectorAll("time[datetime]:not([data-shown])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    const isToday = "today" in time.dataset && at.toDateString() === new Date().toDateString();
    const shape = isToday ? hour : "clock" in time.dataset ? clock : "exact" in time.dataset ? exact : local;
    time.textContent = shape.format(at);
    time.dataset.shown = "";
  }
};

// A menu closes on a click elsewhere and with Escape.
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

// Seconds until the start by the server's clock, whose time comes with the page.
const countDown = (within) => {
  for (const mark of within.querySelectorAll("[data-until]")) {
    mark.dataset.end ||= Date.now() + Date.parse(mark.dataset.until) - Date.parse(mark.dataset.now);
    const left = Math.ceil((mark.dataset.end - Date.now()) / 1000);
    const minutes = Math.floor(left / 60);
    const shown = left < 90 ? `${left} second${left === 1 ? "" : "s"}` : `${minutes} minutes`;
    const text = left > 0 ? `In ${shown}.` : "Starting…";
    if (mark.textContent !== text) mark.textContent = text;
  }
};
setInterval(() => countDown(document), 500);

// Changes a part of the page into another without touching what is equal in both, so that focus, selection and
// clicks in it are not lost.
const become = (now, next) => {
  if ("keep" in now.dataset) return;
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  for (const { name } of [...now.attributes]) if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  const old = [...now.childNodes];
  [...next.childNodes].forEach((node, at) => {
    const same = old[at];
    if (!same) now.append(node);
    else if (same.nodeName !== node.nodeName || same.id !== node.id) same.replaceWith(node);
    else if (node.nodeType !== Node.ELEMENT_NODE) { if (same.data !== node.data) same.data = node.data; }
    else become(same, node);
  });
  old.slice(next.childNodes.length).forEach((node) => node.remove());
};
const parsed = (html) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  showTimes(page);
  countDown(page);
  return page;
};

// A live region. Its event stream sends the region again, or a "turn" event when the whole page must be loaded.
// Without a stream, the page is polled, less often the longer it takes to load. So are regions that have no stream.
// Hidden pages are not updated.
let stream, later, silent = false, announced, asked = Date.now();
const liveRegion = () => document.querySelector("[data-live]");
const announce = () => {
  // Screen readers announce the progress every 10 %, at most every ten seconds, and when the state changes.
  const region = document.querySelector("[data-said]");
  if (!region) return;
  const news = { at: Date.now(), ...region.dataset };
  const small = announced && announced.state === news.state && (news.at - announced.at < 10000 || news.done - announced.done < 10);
  if (small) return;
  if (announced) document.getElementById("said").textContent = news.said;
  announced = news;
};
const turn = async () => {
  const began = performance.now();
  asked = Date.now();
  try {
    const answer = await fetch(location.href);
    if (answer.status === 401) return location.reload();
    if (answer.ok) {
      const page = parsed(await answer.text());
      document.title = page.title;
      become(document.querySelector("main"), page.querySelector("main"));
      announce();
    }
  } catch { /* The server is unreachable; the next poll retries. */ }
  follow(Math.max(Math.floor(250 * Math.sqrt(performance.now() - began)) - 1000, 1000));
};
const follow = (pause = 2000) => {
  clearTimeout(later);
  stream?.close();
  if (!liveRegion() || document.hidden) return;
  if (silent || !liveRegion().dataset.live || !window.EventSource) { later = setTimeout(turn, pause); return; }
  stream = new EventSource(liveRegion().dataset.live);
  // A proxy that buffers the stream delivers nothing, so poll instead.
  later = setTimeout(() => { silent = true; turn(); }, 5000);
  stream.onerror = () => { stream.close(); clearTimeout(later); later = setTimeout(turn, pause); };
  stream.addEventListener("turn", turn);
  stream.addEventListener("live", ({ data }) => {
    clearTimeout(later);
    become(liveRegion(), parsed(data).querySelector("[data-said]"));
    announce();
    // Update the rest of the page from time to time.
    if (Date.now() - asked > 10000) turn();
  });
};
document.addEventListener("visibilitychange", () => (document.hidden ? follow() : liveRegion() && turn()));

// A second click on a submit button is ignored for a second. The server would also process the form only once; this
// saves the wait.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.target || event.submitter?.formTarget) return;
  if (form.dataset.sent && Date.now() - form.dataset.sent < 1000) event.preventDefault();
  else form.dataset.sent = Date.now();
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A list with checkboxes: select the whole page, a range with Shift, and count the selection.
const makeTickable = (table) => {
  const boxes = [...table.querySelectorAll("input[name=user]")];
  const count = table.closest("form").querySelector("[data-count]");
  const others = Number(count?.dataset.count) - boxes.filter((box) => box.checked).length;
  const all = Object.assign(document.createElement("input"), { type: "checkbox", ariaLabel: "Select everyone on this page" });
  const update = () => {
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
    update();
  });
  table.querySelector("thead .tick").append(all);
  update();
};

// A file that is too large is rejected before it is uploaded.
document.addEventListener("change", ({ target }) => {
  if (!target.dataset.most) return;
  const [file] = target.files;
  target.setCustomValidity(file && file.size > Number(target.dataset.most) ? target.dataset.tooLarge : "");
  target.reportValidity();
});

document.documentElement.classList.add("script");
for (const table of document.querySelectorAll("[data-ticks]")) makeTickable(table);

// A scheduled start is entered in the browser's time zone and submitted in UTC. The button shows the start.
const start = document.querySelector("[data-start]");
if (start) {
  const { form } = start, button = form.querySelector("[data-later]"), starts = form.querySelector("[data-starts]");
  const chosen = () => (start.value ? new Date(start.value) : null);
  const named = (at) => {
    const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
    const day = at.toLocaleString("en-GB", { day: "numeric", month: "short", year, hour: "2-digit", minute: "2-digit" });
    const zones = ["en-GB", "en-US"].map((locale) => at.toLocaleTimeString(locale, { timeZoneName: "short" }).split(" ").pop());
    return `${day} ${zones.find((zone) => !/\d/.test(zone)) ?? zones[0]}`;
  };
  const update = () => {
    const at = chosen();
    button.textContent = at ? `${button.dataset.later} ${named(at)}` : button.dataset.now;
    starts.textContent = at ? `On ${named(at)}. You can undo it until then.` : starts.dataset.starts;
  };
  form.querySelector("[data-zone]").textContent = new Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");
  if (start.value) start.valueAsNumber -= new Date(`${start.value}Z`).getTimezoneOffset() * 60000;
  start.addEventListener("input", update);
  form.addEventListener("formdata", ({ formData }) => {
    const utc = chosen()?.toISOString().slice(0, 16) ?? "";
    for (const name of ["start_at", "shown_start"]) formData.set(name, utc);
  });
  update();
}

// The code of a one-time link follows its #, which is not sent to servers. The form submits it.
for (const event of ["DOMContentLoaded", "hashchange"]) window.addEventListener(event, () => {
  const code = document.querySelector("[data-code]");
  if (!code || !/^#[\w-]{40,}$/.test(location.hash)) return;
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  code.form.submit();
});

// The editor of a system email.
const letter = document.querySelector("form[data-letter]");
if (letter) {
  // A field is inserted at the last cursor position; the browser can undo it.
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
  // The preview follows the typing. Each preview loads in a new frame, so that the Back button does not step through
  // previews and the last one stays visible until the next has loaded. Each frame has a new name too, because a
  // removed frame may keep its name for a while.
  let [shown, coming, pause] = [letter.querySelector("iframe[name='preview']")];
  let button = letter.querySelector("[formtarget='preview']");
  let isUnsaved = "unsaved" in letter.dataset;
  letter.addEventListener("submit", ({ submitter }) => {
    // If a form is submitted again before the browser has started, only the second submission is sent.
    clearTimeout(pause);
    if (!submitter?.formTarget) {
      isUnsaved = false;
      return;
    }
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

// Copies a secret that is shown once.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = !navigator.clipboard;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    document.getElementById("copied").textContent = "Copied.";
  });
}

showTimes(document);
countDown(document);
announce();
follow();
document.querySelector("[data-focus]")?.focus();
