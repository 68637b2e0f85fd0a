// Keys for people whose hands stay on the keyboard; everything here can be done without them, and without this file.
"use strict";

const typing = (target) => target.matches("input:not([type=radio]), textarea, select");
const focusables = () => [...document.querySelectorAll("tr[data-row] a.open, .paper > section")];

function move(step) {
  const stops = focusables();
  if (!stops.length) return;
  const here = stops.findIndex((stop) => stop === document.activeElement || stop.contains(document.activeElement)
    || stop.closest("tr")?.contains(document.activeElement));
  const next = stops[here < 0 ? 0 : Math.min(stops.length - 1, Math.max(0, here + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function of(key) {
  const row = document.activeElement.closest("tr[data-row]");
  return (row ?? document).querySelector(`[data-key="${key}"]`);
}

function choose(radio) {
  radio.checked = true;
  const reason = document.getElementById(`code-${radio.value}`);
  (reason ?? document.getElementById("record")).focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || typing(event.target)) return;
  const keys = document.getElementById("keys");
  if (!keys || (keys.open && event.key !== "?")) return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key === "?") keys.open ? keys.close() : keys.showModal();
  else {
    const found = event.key.length === 1 ? of(event.key) : null;
    if (!found) return;
    if (found.type === "radio") choose(found);
    else if (found.matches("textarea")) found.focus();
    else found.click();
  }
  event.preventDefault();
});

// A form is sent once; a page that comes back from the browser's memory may send again.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else if (event.target.method === "post") event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
