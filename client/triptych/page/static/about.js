// What is known of one photo: its faces, drawn over it, who they are, and photos that look like it.

import { api } from "./api.js";
import { count, day, make, notice } from "./dom.js";
import { giveName, label } from "./names.js";
import { address, go, here } from "./route.js";

const LIKE_IT = 12;
const CROWD = 10; // faces from which on names would cover them
const LARGER = 1.6; // small photos are shown up to so many times their size

export function frame(photo) {
  const place = make("div", { className: photo.faces.length > CROWD ? "frame crowd" : "frame" });
  place.style.setProperty("--ratio", photo.width / photo.height);
  place.style.setProperty("--most", `${Math.round(photo.width * LARGER)}px`);
  place.style.backgroundImage = `url("tiles/${photo.id}")`;
  const image = make("img", { src: `photos/${photo.id}`, alt: photo.name });
  image.addEventListener("error", async () => {
    place.classList.add("gone");
    place.append(make("p", { className: "why" }, await api.whyNot(image.src)));
  });
  place.append(image, ...photo.faces.map((face) => box(face, photo)));
  return place;
}

function box(face, photo) {
  const [x1, y1, x2, y2] = face.box;
  const percent = (part, whole) => `${(100 * part) / whole}%`;
  const told = { className: face.name ? "face named" : "face" };
  if (face.person) Object.assign(told, { href: address({ view: "people", id: face.person }), ariaLabel: label(face) });
  const link = make(face.person ? "a" : "span", told, make("span", { dir: "auto" }, face.name ?? ""));
  Object.assign(link.style, {
    left: percent(x1, photo.width),
    top: percent(y1, photo.height),
    width: percent(x2 - x1, photo.width),
    height: percent(y2 - y1, photo.height),
  });
  return link;
}

export function describe(panel, photo, again) {
  const people = photo.faces.map((face) => row(face, photo, again));
  panel.replaceChildren(
    make("h2", {}, day(photo.taken)),
    make("p", { className: "quiet path", title: `${photo.folder}/${photo.name}` }, make("bdi", {}, photo.name), ` · ${photo.width} × ${photo.height}`),
    people.length
      ? make(
          "section",
          {},
          make("h3", {}, people.length === 1 ? "On it" : count(people.length, "face")),
          make("ul", { className: "who" }, people),
        )
      : "",
  );
}

function row(face, photo, again) {
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
  const link = (name) => make("a", { href: address({ view: "people", id: face.person }), dir: "auto" }, name);
  if (face.name) return make("li", {}, picture, link(face.name));
  const input = make("input", {
    name: "name",
    placeholder: "Who is this?",
    dir: "auto",
    ariaLabel: "Name of this person",
    autocomplete: "off",
    maxLength: 200,
  });
  const form = make("form", {}, input);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const named = await giveName({ id: face.person, name: null }, input.value);
    if (named) again();
  });
  return make("li", {}, picture, form);
}

export async function likeIt(panel, id) {
  const { photos } = await api.similar(id, { limit: LIKE_IT }).catch(() => ({ photos: [] }));
  if (!panel.isConnected || !photos.length) return;
  const strip = photos.map((photo) => {
    const there = { ...here(), photo: photo.id };
    const step = (event) => {
      event.preventDefault();
      go(there, true); // so that Back leads out, however far one went
    };
    const image = make("img", { src: `tiles/${photo.id}`, alt: photo.name, loading: "lazy" });
    image.addEventListener("error", () => image.classList.add("gone"));
    return make("a", { href: address(there), title: photo.name, onclick: step }, image);
  });
  panel.append(
    make(
      "section",
      {},
      make("h3", {}, "Similar", make("a", { href: address({ view: "similar", id }) }, "all")),
      make("div", { className: "strip" }, strip),
    ),
  );
}
