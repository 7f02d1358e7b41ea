// Convenience for the pages with an upload form. They work without it.
"use strict";

// A file can be dropped or pasted anywhere on a page with an upload form.
const fileField = () => document.querySelector("form[data-upload] input[type=file]");
const chooseFile = (event, { files }) => {
  const field = fileField();
  if (!field || files.length === 0) return;
  event.preventDefault();
  const chosen = new DataTransfer();
  chosen.items.add(files[0]);
  field.files = chosen.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
  if (files.length > 1) {
    field.setCustomValidity("Choose one file at a time");
    field.reportValidity();
  }
};
// Cells copied from a spreadsheet come with a picture of them.
document.addEventListener("paste", (event) => {
  const isPicture = [...event.clipboardData.files].every(({ type }) => type.startsWith("image/"));
  if (!isPicture && !event.target.closest("textarea")) chooseFile(event, event.clipboardData);
});
document.addEventListener("dragover", (event) => {
  if (!fileField() || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  fileField().classList.add("over");
});
for (const type of ["dragleave", "drop"]) document.addEventListener(type, (event) => {
  if (!event.relatedTarget) fileField()?.classList.remove("over");
});
document.addEventListener("drop", (event) => chooseFile(event, event.dataTransfer));

// A large file is uploaded by script, which shows the progress and can cancel it.
const LARGE_BYTES = 1024 * 1024;
const megabytes = (bytes) => (bytes / LARGE_BYTES).toLocaleString("en", { maximumFractionDigits: 1 });
const lasting = (seconds) => {
  const whole = Math.ceil(seconds);
  return whole < 90 ? `${whole} second${whole === 1 ? "" : "s"}` : `${Math.round(whole / 60)} minutes`;
};
const uploaded = ({ loaded, total }, began) => {
  if (loaded === total) return "Uploaded. Reading the file…";
  const sent = `Uploaded ${megabytes(loaded)} of ${megabytes(total)} MB`;
  const seconds = (performance.now() - began) / 1000;
  return seconds < 1 ? sent : `${sent}, about ${lasting((seconds * (total - loaded)) / loaded)} left`;
};
const element = (name, properties) => Object.assign(document.createElement(name), properties);
const upload = (form, button) => {
  const request = new XMLHttpRequest(), began = performance.now();
  const box = element("div", { className: "upload" });
  const text = element("p", { id: "upload-text", textContent: "Uploading…" });
  const bar = element("progress", { max: 1 });
  const cancel = element("button", { type: "button", className: "plain", textContent: "Cancel upload" });
  const ended = (outcome) => {
    const message = element("p", { className: "quiet", textContent: outcome, role: "status" });
    box.replaceWith(message);
    button.hidden = false;
    button.focus();
  };
  for (const shown of [bar, cancel]) shown.setAttribute("aria-describedby", text.id);
  bar.ariaLabel = "Upload";
  box.append(text, bar, cancel);
  form.querySelector("form > [role=status]")?.remove();
  button.hidden = true;
  button.after(box);
  cancel.focus();
  cancel.addEventListener("click", () => request.abort());
  request.upload.addEventListener("progress", (event) => {
    bar.value = event.loaded / event.total;
    text.textContent = uploaded(event, began);
  });
  request.addEventListener("abort", () => ended("Upload cancelled."));
  request.addEventListener("error", () => ended("The upload was interrupted. Check your connection and try again."));
  request.addEventListener("load", () => {
    if (request.responseURL !== form.action) return location.assign(request.responseURL);
    if (request.status === 401) return location.reload();
    const type = request.getResponseHeader("content-type") ?? "";
    if (type.startsWith("application/problem+json")) return ended(JSON.parse(request.responseText).detail);
    // A page with an error, unless a proxy has answered.
    const page = parsed(request.responseText), main = page.querySelector("main");
    if (!main) return ended(`The file was not accepted (HTTP ${request.status}). Try again.`);
    document.title = page.title;
    document.querySelector("main").replaceWith(main);
    main.querySelector("[data-focus]")?.focus();
  });
  request.open("POST", form.action);
  request.send(new FormData(form, button));
};
document.addEventListener("submit", (event) => {
  const form = event.target, file = form.elements.file?.files?.[0];
  if (!("upload" in form.dataset) || event.defaultPrevented || !file || file.size < LARGE_BYTES) return;
  event.preventDefault();
  upload(form, event.submitter);
});
