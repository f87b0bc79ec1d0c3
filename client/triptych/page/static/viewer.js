// One photo over the page, opened and closed, and those before and after it.

import { describe, frame, likeIt } from "./about.js";
import { api } from "./api.js";
import { make } from "./dom.js";
import { go, here } from "./route.js";

const dialog = document.getElementById("viewer");
let shown = null;
let opened = false; // from a view of this page, so that Back leads there
let faces = true;

export function showPhoto(id) {
  if (id === null) {
    const last = shown;
    shown = null;
    opened = false;
    if (last === null) return;
    dialog.close();
    document.querySelector(`#main .tile[data-item="${last}"]`)?.focus(); // where one got to, not where one began
    return;
  }
  if (!dialog.open) dialog.showModal();
  if (id !== shown) render(id);
}

export function opening() {
  opened = true;
}

function close() {
  if (opened) history.back();
  else go({ ...here(), photo: null }, true);
}

function near(by) {
  const tiles = [...document.querySelectorAll("#main .tile[data-item]")];
  const at = tiles.findIndex((tile) => Number(tile.dataset.item) === shown);
  return at < 0 ? undefined : tiles[at + by];
}

function step(by) {
  const next = near(by);
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  next.focus({ preventScroll: true });
  const photo = Number(next.dataset.item);
  go({ ...here(), photo }, true);
  showPhoto(photo); // at once: the next key may come before the browser tells of the new address
}

async function render(id) {
  shown = id;
  const stage = make("figure", { className: "stage" });
  const panel = make("aside", { className: "panel" }, make("p", { className: "quiet" }, "…"));
  const neighbours = [near(-1), near(1)];
  const button = (name, text, path, act) =>
    make("button", { type: "button", className: name, ariaLabel: text, title: text, onclick: act }, icon(path));
  dialog.replaceChildren(
    button("close", "Close (Esc)", "M5 5l10 10M15 5 5 15", close),
    neighbours[0] ? button("previous", "Previous (←)", "M12 4 6 10l6 6", () => step(-1)) : "",
    neighbours[1] ? button("next", "Next (→)", "M8 4l6 6-6 6", () => step(1)) : "",
    stage,
    panel,
  );
  dialog.focus(); // so that it gets the keys, whatever was removed
  try {
    const photo = await api.photo(id);
    if (shown !== id) return;
    dialog.ariaLabel = photo.name;
    stage.style.setProperty("--ratio", photo.width / photo.height);
    const framed = frame(photo);
    framed.classList.toggle("plain", !faces);
    stage.append(framed);
    describe(panel, photo, () => shown === id && render(id));
    likeIt(panel, id);
  } catch (error) {
    if (shown === id) panel.replaceChildren(make("h2", {}, "This photo cannot be shown"), make("p", {}, error.message));
  }
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

dialog.addEventListener("close", () => shown !== null && close()); // by a phone's gesture; the browser asks nobody
dialog.addEventListener("click", (event) => {
  if (event.target.classList?.contains("stage")) close();
});
dialog.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" && event.key !== "Escape") return;
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else if (event.key === "Escape") close();
  else if (event.key === "f") {
    faces = !faces;
    dialog.querySelector(".frame")?.classList.toggle("plain", !faces);
  } else return;
  event.preventDefault();
});
let touch = null;
dialog.addEventListener("touchstart", (event) => (touch = event.touches.length === 1 ? event.touches[0] : null), { passive: true });
dialog.addEventListener(
  "touchend",
  (event) => {
    if (!touch || !event.target.closest(".stage")) return;
    const across = event.changedTouches[0].clientX - touch.clientX;
    const along = Math.abs(event.changedTouches[0].clientY - touch.clientY);
    if (Math.abs(across) > 60 && Math.abs(across) > 2 * along) step(across < 0 ? 1 : -1);
  },
  { passive: true },
);
