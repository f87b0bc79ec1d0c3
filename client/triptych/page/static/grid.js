// Photos in rows of one height, loaded as one scrolls; and the arrow keys among everything that carries data-item.

import { count, empty, make, month, say } from "./dom.js";
import { address, here } from "./route.js";

const PAGE = 60;
const NARROWEST = 0.55;
const WIDEST = 2.2;

export function tile(photo, score) {
  const ratio = Math.min(WIDEST, Math.max(NARROWEST, photo.width / photo.height));
  const image = make("img", { src: `tiles/${photo.id}`, alt: photo.name, loading: "lazy", decoding: "async" });
  const link = make(
    "a",
    {
      className: "tile",
      href: address({ ...here(), photo: photo.id }),
      title: score === undefined ? photo.name : `${photo.name} · ${score.toFixed(3)}`,
    },
    image,
  );
  image.addEventListener("load", () => link.classList.add("there"));
  image.addEventListener("error", () => link.classList.add("gone"));
  link.dataset.item = photo.id;
  link.style.setProperty("--ratio", ratio);
  return link;
}

// `load(offset, limit)` gives {photos, more}; with `months`, each begins under its name. Resolves when the first photos stand there.
// `none` is shown where there are none.
export async function grid(place, load, { months = false, none }) {
  const waiting = make("div", { className: "rows waiting", ariaHidden: "true" });
  for (let at = 0; at < 18; at += 1) {
    const box = make("span", { className: "tile" });
    box.style.setProperty("--ratio", [1.5, 1, 0.75, 1.33, 1.78][(at * 7) % 5]);
    waiting.append(box);
  }
  if (!place.querySelector(".tile, .empty")) place.replaceChildren(waiting);
  let rows = null;
  let title = null;
  let offset = 0;
  const there = new Set(); // photos that were indexed meanwhile move the others on
  const end = make("div", { className: "end" });

  function add(photos) {
    for (const photo of photos.filter(({ id }) => !there.has(id))) {
      there.add(photo.id);
      const name = months ? month(photo.taken) : "";
      if (rows === null || name !== title) {
        title = name;
        rows = make("div", { className: "rows" });
        place.append(make("section", {}, name && make("h2", { className: "month" }, name), rows));
      }
      rows.append(tile(photo, photo.score));
    }
    offset += photos.length;
    place.append(end);
  }

  const first = await load(0, PAGE);
  place.replaceChildren();
  if (!first.photos.length) {
    place.append(none ?? empty("Nothing found"));
    say("Nothing found");
    return;
  }
  add(first.photos);
  say(`${count(first.photos.length, "photo")}${first.more ? ", and more below" : ""}`);
  if (!first.more) return;
  let busy = false;
  const watch = new IntersectionObserver(
    async ([seen]) => {
      if (!seen.isIntersecting || busy || !place.isConnected) return;
      busy = true;
      try {
        const next = await load(offset, PAGE);
        if (!end.isConnected) return; // something else stands here by now
        add(next.photos);
        watch.unobserve(end);
        if (next.more) watch.observe(end); // looks again, for the end may still be in sight
      } catch (error) {
        if (error.name !== "AbortError") end.textContent = error.message;
      } finally {
        busy = false;
      }
    },
    { rootMargin: "1200px" },
  );
  watch.observe(end);
}

const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

// Moves the focus among items; up and down go to the one nearest in the next row. True when the key was for it.
export function moveFocus(event, place) {
  if (!MOVES.has(event.key) || event.altKey || event.ctrlKey || event.metaKey) return false;
  const items = [...place.querySelectorAll("[data-item]")];
  const at = items.indexOf(document.activeElement);
  if (!items.length || (at < 0 && document.activeElement !== document.body && document.activeElement !== place)) return false;
  const next = at < 0 ? items[0] : target(event.key, items, at);
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  event.preventDefault();
  return true;
}

function target(key, items, at) {
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key === "ArrowLeft") return items[at - 1];
  if (key === "ArrowRight") return items[at + 1];
  const from = items[at].getBoundingClientRect();
  const middle = from.left + from.width / 2;
  const down = key === "ArrowDown";
  let best = null;
  let row = null;
  const order = down ? items.slice(at + 1) : items.slice(0, at).reverse();
  for (const item of order) {
    const box = item.getBoundingClientRect();
    if (down ? box.top < from.bottom - 2 : box.bottom > from.top + 2) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) > box.height / 2) break;
    const away = Math.abs(box.left + box.width / 2 - middle);
    if (best === null || away < best.away) best = { item, away };
  }
  return best?.item;
}
