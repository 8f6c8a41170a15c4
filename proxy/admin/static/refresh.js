// Brings the page's figures up to date. Without this script the page shows what stood when it was loaded.
"use strict";

const PERIOD = 5000; // ms
const button = document.getElementById("pause");
let paused = false;

button.hidden = false;
button.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume updates" : "Pause updates";
});

// What somebody is reading with the keyboard or has marked stays as it is.
function isInUse(part) {
  const selection = document.getSelection();
  return part.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(part, true));
}

async function refresh() {
  if (paused || document.hidden) return;
  const answer = await fetch("/", { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const found = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (found && !isInUse(part)) part.replaceChildren(...found.childNodes);
  }
  document.title = fresh.title;
  document.body.classList.remove("stale");
}

setInterval(() => refresh().catch(() => document.body.classList.add("stale")), PERIOD);
