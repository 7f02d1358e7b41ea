// The elements that match `selector`, can be seen, and may be called `name`, each with the text a
// person sees on it. What they are really called is Chromium's to say; this only spares it the
// question about everything on a long page. Without a name, all that match and can be seen.
const [selector, name] = arguments;
const squeezed = (text) => (text || "").replace(/\s+/g, " ").trim();
const labels = (element) => [...(element.labels || [])];

function told(element) {
  const named = (element.getAttribute("aria-labelledby") || "").split(/\s+/);
  return [
    element.textContent,
    element.value,
    element.title,
    element.placeholder,
    element.getAttribute("aria-label"),
    ...[...element.querySelectorAll("[alt], [aria-label]")].map((part) => part.alt || part.ariaLabel),
    ...labels(element).map((label) => label.textContent),
    ...named.map((id) => document.getElementById(id)?.textContent),
  ].join(" ").toLowerCase();
}

function seen(element) {
  const own = element.matches("input") ? element.value : element.innerText;
  return squeezed(labels(element).map((label) => label.innerText).join(" ") || own);
}

const words = squeezed(name).toLowerCase().split(" ");
return [...document.querySelectorAll(selector)]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => words.every((word) => told(element).includes(word)))
  .map((element) => [element, seen(element)]);
