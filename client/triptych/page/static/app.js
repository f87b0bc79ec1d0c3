// The page put together: the address decides what is shown; typing searches; keys move; a dropped picture finds its like.

import { api } from "./api.js";
import { empty, make, notice } from "./dom.js";
import { nothing, showFilters } from "./filters.js";
import { grid, moveFocus } from "./grid.js";
import { indexing } from "./indexing.js";
import { showPeople, showPerson } from "./people.js";
import { address, go, here, only } from "./route.js";
import { showStatus } from "./status.js";
import { opening, showPhoto } from "./viewer.js";
import { welcome } from "./welcome.js";

const TYPING = 180; // ms of rest before a search
const PATIENCE = 250; // ms before what was shown gives way to what is being loaded
const FRESH = 24; // photos that are indexed between two looks at the grid
const main = document.getElementById("main");
const search = document.getElementById("search");
const viewer = document.getElementById("viewer");
let view = new AbortController(); // of what is shown; aborted when something else is
let shown = null;
let sent = null; // the picture that was dropped

async function show() {
  const place = here();
  const key = address({ ...place, photo: null });
  if (key !== shown) {
    shown = key;
    view.abort();
    view = new AbortController();
    const signal = view.signal;
    if (document.activeElement !== search) search.value = place.q;
    search.placeholder = place.view === "people" && place.id ? "Search this person’s photos" : "Search photos";
    for (const link of document.querySelectorAll("nav a")) link.ariaCurrent = link.dataset.view === place.view ? "page" : null;
    const stage = make("div", {});
    const enter = () => {
      if (signal.aborted || stage.isConnected) return;
      main.replaceChildren(stage);
      scrollTo(0, 0);
    };
    showFilters(place);
    setTimeout(enter, PATIENCE); // what was shown stays that long, so that quick answers do not flicker
    render(place, stage, signal).then(enter, (error) => {
      if (error.name === "AbortError" || signal.aborted) return;
      enter();
      if (error.status === 404)
        return stage.replaceChildren(empty("Not there", "Perhaps it was joined with somebody else, or its photos are gone."));
      const again = make("button", { type: "button", onclick: () => ((shown = null), show()) }, "Try again");
      stage.replaceChildren(empty("That did not work", error.message, again));
    });
  }
  showPhoto(place.photo);
}

function render(place, stage, signal) {
  const title = place.q || { people: "People", status: "Status", similar: "Similar photos" }[place.view];
  document.title = title ? `${title} – Triptych` : "Triptych";
  if (place.view === "people") return place.id ? showPerson(stage, place, signal) : showPeople(stage);
  if (place.view === "status") return showStatus(stage, signal);
  if (place.view === "similar") return place.id ? similar(stage, place, signal) : similarToSent(stage, place, signal);
  return place.q ? results(stage, place, signal) : all(stage, place, signal);
}

async function all(stage, place, signal) {
  const narrowed = Object.keys(only(place)).length > 0;
  const none = narrowed ? nothing(place) : welcome(signal);
  const load = (offset, limit) => api.photos({ ...only(place), offset, limit }, signal);
  await grid(stage, load, { months: true, none });
  let seen = null; // how many there were when the grid was drawn
  const stop = indexing.follow((state, ended) => {
    const some = stage.querySelector(".tile");
    seen ??= some || narrowed ? state.photos : 0;
    const reading = some && (scrollY > 0 || here().photo || stage.contains(document.activeElement));
    if (reading || !(ended || Math.abs(state.photos - seen) >= (some && state.running ? FRESH : 1))) return;
    seen = state.photos;
    showFilters(here(), true);
    grid(stage, load, { months: true, none }).catch(() => {}); // the next change tries again
  });
  signal.addEventListener("abort", stop);
}

function results(stage, place, signal) {
  return grid(stage, (_, limit) => api.search({ ...only(place), q: place.q, limit }, signal), { none: nothing(place) });
}

async function similar(stage, { id, ...place }, signal) {
  const below = make("div", {});
  const link = make("a", { href: address({ ...here(), photo: id }) }, make("img", { src: `tiles/${id}`, alt: "This photo" }));
  stage.replaceChildren(make("header", { className: "head like" }, link, make("h1", {}, "Photos like this one")), below);
  await grid(below, (_, limit) => api.similar(id, { ...only(place), limit }, signal), { none: nothing(place) });
}

async function similarToSent(stage, place, signal) {
  if (!sent) return go({}, true);
  const below = make("div", {});
  const address = URL.createObjectURL(sent);
  signal.addEventListener("abort", () => URL.revokeObjectURL(address));
  const image = make("img", { src: address, alt: "The picture that you sent" });
  image.addEventListener("error", () => image.remove()); // HEIC, which most browsers cannot show
  stage.replaceChildren(make("header", { className: "head like" }, image, make("h1", {}, "Photos like yours")), below);
  await grid(below, () => api.similarTo(sent, only(place), signal), { none: nothing(place) });
}

function searchNow() {
  const place = here();
  const q = search.value.trim();
  if (q === place.q && place.view !== "similar") return;
  const person = place.view === "people" && place.id;
  const now = { ...only(place), q, ...(person ? { view: "people", id: place.id } : {}) };
  go(now, Boolean(place.q) && Boolean(q)); // one step back leads out of a search, however often it was refined
}

let typing;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(searchNow, TYPING);
});
search.form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  searchNow();
});

function send(file) {
  if (!file) return;
  if (file.type && !file.type.startsWith("image/")) return notice("That is no picture.", true);
  sent = file;
  shown = null;
  if (here().view === "similar" && !here().id) show();
  else go({ view: "similar" });
}

const drop = document.getElementById("drop");
const files = (event) => event.dataTransfer?.types.includes("Files");
document.getElementById("pick").addEventListener("change", (event) => {
  send(event.target.files[0]);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  if (!files(event)) return;
  event.preventDefault();
  drop.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.hidden = true;
});
addEventListener("drop", (event) => {
  if (!files(event)) return;
  event.preventDefault();
  drop.hidden = true;
  send(event.dataTransfer.files[0]);
});

addEventListener("keydown", (event) => {
  if (viewer.open || document.querySelector("dialog[open]")) return;
  const typed = ["INPUT", "TEXTAREA"].includes(event.target.tagName);
  if (event.key === "/" && !typed) {
    event.preventDefault();
    search.select();
    search.focus();
  } else if (event.target === search && event.key === "ArrowDown") {
    event.preventDefault();
    main.querySelector("[data-item]")?.focus();
  } else if (event.target === search && event.key === "Escape") {
    if (search.value) search.value = "";
    else search.blur();
    searchNow();
  } else if (!typed) moveFocus(event, main);
});
addEventListener("click", (event) => {
  if (event.target.closest?.(".tile[href]")) opening();
});
addEventListener("hashchange", show);
show();
