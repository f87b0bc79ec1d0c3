// One photo over the page: its faces drawn over it, who they are, and photos that look like it.

import { api } from "./api.js";
import { day, make, notice } from "./dom.js";
import { giveName, label } from "./names.js";
import { address, go, here } from "./route.js";

const LIKE_IT = 12;
const LARGER = 1.6; // small photos are shown up to so many times their size
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
  go({ ...here(), photo: Number(next.dataset.item) }, true);
}

async function render(id) {
  shown = id;
  const stage = make("figure", { className: "stage" });
  const panel = make("aside", { className: "panel" }, make("p", { className: "quiet" }, "…"));
  const neighbours = [near(-1), near(1)];
  const button = (name, text, path, act) =>
    make("button", { type: "button", className: name, ariaLabel: text, title: text, onclick: act }, icon(path));
  dialog.replaceChildren(
    stage,
    panel,
    button("close", "Close (Esc)", "M5 5l10 10M15 5 5 15", close),
    neighbours[0] ? button("previous", "Previous (←)", "M12 4 6 10l6 6", () => step(-1)) : "",
    neighbours[1] ? button("next", "Next (→)", "M8 4l6 6-6 6", () => step(1)) : "",
  );
  try {
    const photo = await api.photo(id);
    if (shown !== id) return;
    stage.style.setProperty("--ratio", photo.width / photo.height);
    stage.append(frame(photo));
    describe(panel, photo);
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

function frame(photo) {
  const place = make("div", { className: "frame" });
  place.style.setProperty("--ratio", photo.width / photo.height);
  place.style.setProperty("--most", `${Math.round(photo.width * LARGER)}px`);
  place.style.backgroundImage = `url("tiles/${photo.id}")`;
  const image = make("img", { src: `photos/${photo.id}`, alt: photo.name });
  image.addEventListener("error", () => place.classList.add("gone"));
  place.append(image, ...photo.faces.map((face) => box(face, photo)));
  place.classList.toggle("plain", !faces);
  return place;
}

function box(face, photo) {
  const [x1, y1, x2, y2] = face.box;
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  const link = make("a", { className: face.name ? "face named" : "face", href: face.person ? address({ view: "people", id: face.person }) : null }, make("span", {}, face.name ?? ""));
  link.ariaLabel = face.name ?? (face.person ? label(face) : "Met only here");
  Object.assign(link.style, {
    left: percent(x1, photo.width),
    top: percent(y1, photo.height),
    width: percent(x2 - x1, photo.width),
    height: percent(y2 - y1, photo.height),
  });
  return link;
}

function describe(panel, photo) {
  const people = photo.faces.map((face) => row(face, photo));
  panel.replaceChildren(
    make("h2", {}, day(photo.taken)),
    make("p", { className: "quiet path", title: `${photo.folder}/${photo.name}` }, `${photo.name} · ${photo.width} × ${photo.height}`),
    people.length ? make("section", {}, make("h3", {}, people.length === 1 ? "On it" : `${people.length} people`), make("ul", { className: "who" }, people)) : "",
  );
}

function row(face, photo) {
  const picture = make("img", { src: `photos/${photo.id}/faces/${face.id}`, alt: "", loading: "lazy" });
  if (!face.person) {
    const remove = make("button", { type: "button", className: "plain", title: "This is nobody of interest" }, "Ignore");
    const line = make("li", {}, picture, make("span", { className: "quiet" }, "Met only here"), remove);
    remove.addEventListener("click", async () => {
      try {
        await api.removeFace(face.id);
        remove.replaceWith(make("span", { className: "quiet" }, "Ignored"));
      } catch (error) {
        notice(error.message, true);
      }
    });
    return line;
  }
  const link = (name) => make("a", { href: address({ view: "people", id: face.person }) }, name);
  if (face.name) return make("li", {}, picture, link(face.name));
  const input = make("input", { name: "name", placeholder: "Who is this?", ariaLabel: "Name of this person", autocomplete: "off", maxLength: 200 });
  const form = make("form", {}, input);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const named = await giveName({ id: face.person, name: null }, input.value);
    if (named && shown === photo.id) render(photo.id);
  });
  return make("li", {}, picture, form);
}

async function likeIt(panel, id) {
  const { photos } = await api.similar(id, LIKE_IT).catch(() => ({ photos: [] }));
  if (shown !== id || !photos.length) return;
  const strip = photos.map((photo) => {
    const there = { ...here(), photo: photo.id };
    const step = (event) => {
      event.preventDefault();
      go(there, true); // so that Back leads out, however far one went
    };
    return make("a", { href: address(there), title: photo.name, onclick: step }, make("img", { src: `tiles/${photo.id}`, alt: photo.name, loading: "lazy" }));
  });
  panel.append(
    make("section", {}, make("h3", {}, "Similar", make("a", { href: address({ view: "similar", id }) }, "all")), make("div", { className: "strip" }, strip)),
  );
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
dialog.addEventListener("touchend", (event) => {
  if (!touch || !event.target.closest(".stage")) return;
  const across = event.changedTouches[0].clientX - touch.clientX;
  const along = Math.abs(event.changedTouches[0].clientY - touch.clientY);
  if (Math.abs(across) > 60 && Math.abs(across) > 2 * along) step(across < 0 ? 1 : -1);
}, { passive: true });
