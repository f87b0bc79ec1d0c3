// Everybody, and one of them: the name, the photos, the faces; joining two who are one, taking apart one who is two.

import { api } from "./api.js";
import { count, empty, make, notice } from "./dom.js";
import { nothing } from "./filters.js";
import { grid } from "./grid.js";
import { cover, giveName, label, question } from "./names.js";
import { address, go, only } from "./route.js";

const AT_ONCE = 120;

export async function showPeople(place) {
  const { people } = await api.people();
  if (!people.length) {
    place.replaceChildren(empty("Nobody yet", "Whoever is on two photos or more appears here, once the photos are indexed."));
    return;
  }
  const list = make("div", { className: "people" });
  const named = people.filter((person) => person.name).length;
  place.replaceChildren(
    make(
      "header",
      { className: "head" },
      make("h1", {}, "People"),
      make(
        "p",
        { className: "quiet" },
        `${people.length.toLocaleString()}, ${named ? `${named.toLocaleString()} with a name` : "none with a name yet"}`,
      ),
    ),
    list,
  );
  const end = make("div", { className: "end" });
  let at = 0;
  const more = () => {
    list.append(...people.slice(at, at + AT_ONCE).map((person) => somebody(person)));
    at += AT_ONCE;
    if (at < people.length) place.append(end);
    else end.remove();
  };
  more();
  new IntersectionObserver(([seen]) => seen.isIntersecting && at < people.length && more(), { rootMargin: "800px" }).observe(end);
}

function somebody(person, act) {
  const link = make(act ? "button" : "a", act ? { type: "button", onclick: act } : { href: address({ view: "people", id: person.id }) });
  link.className = person.name ? "somebody" : "somebody unnamed";
  link.dataset.item = person.id;
  link.append(cover(person), make("strong", { dir: "auto" }, label(person)), make("small", {}, count(person.photos, "photo")));
  return link;
}

export async function showPerson(place, { id, q, ...narrowed }, signal) {
  const person = await api.person(id);
  document.title = `${label(person)} – Triptych`;
  const below = make("div", {});
  const input = make("input", {
    className: "name",
    value: person.name ?? "",
    placeholder: "Who is this?",
    dir: "auto",
    ariaLabel: "Name",
    autocomplete: "off",
    maxLength: 200,
    spellcheck: false,
  });
  const form = make("form", { className: "naming" }, input, make("button", { className: "main", hidden: true }, "Save"));
  const save = form.lastChild;
  input.addEventListener("input", () => (save.hidden = input.value.trim() === (person.name ?? "")));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    input.value = person.name ?? "";
    save.hidden = true;
    input.blur();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const now = await giveName(person, input.value);
    if (!now) return;
    notice(now.name ? `Saved: ${now.name}` : "The name is gone");
    if (now.id !== person.id) return go({ view: "people", id: now.id }, true);
    person.name = now.name;
    save.hidden = true;
    input.blur();
  });
  const tab = (text, act) => make("button", { type: "button", onclick: () => choose(text, act) }, text);
  const showPhotos = () =>
    grid(
      below,
      (offset, limit) => {
        const which = { ...only(narrowed), person: id, limit };
        return q ? api.search({ ...which, q }, signal) : api.photos({ ...which, offset }, signal);
      },
      { none: nothing(narrowed) },
    );
  const tabs = [tab("Photos", showPhotos), tab("Faces", () => showFaces(below, person))];
  const choose = (text, act) => {
    for (const each of tabs) each.ariaPressed = String(each.textContent === text);
    return act();
  };
  place.replaceChildren(
    make(
      "header",
      { className: "person" },
      cover(person, false),
      make("div", {}, form, make("p", { className: "quiet" }, `${count(person.photos, "photo")}, ${count(person.faces, "face")}`)),
      make(
        "div",
        { className: "tools" },
        make("div", { className: "tabs", role: "group", ariaLabel: "Show" }, tabs),
        make("button", { type: "button", onclick: () => merge(person) }, "Same as…"),
      ),
    ),
    below,
  );
  await choose("Photos", showPhotos);
}

async function merge(person) {
  try {
    const others = (await api.people()).people.filter((other) => other.id !== person.id);
    if (!others.length) return notice("There is nobody else yet.");
    const other = await question(
      `Who is ${label(person)}, too?`,
      (choose) => [
        make("p", { className: "quiet" }, "All faces of both become one person's."),
        make(
          "div",
          { className: "people small" },
          others.slice(0, AT_ONCE).map((one) => somebody(one, () => choose(one))),
        ),
      ],
      [["Cancel", null]],
    );
    if (!other) return;
    const [into, joins] = person.name || !other.name ? [person, other] : [other, person];
    const now = await api.merge(into.id, [joins.id]);
    notice(`${label(person)} and ${label(other)} are one: ${label(now)}`);
    go({ view: "people" }, true);
    go({ view: "people", id: now.id });
  } catch (error) {
    notice(error.message, true);
  }
}

function showFaces(place, person) {
  const chosen = new Set();
  const split = make("button", { type: "button", className: "main", disabled: true }, "These are somebody else");
  const halve = make(
    "button",
    { type: "button", title: "Move the smaller of the two groups that these faces form" },
    "Find two people in these",
  );
  const apart = async (faces) => {
    try {
      const other = await api.split(person.id, faces);
      notice(`${count(other.faces, "face")} moved to a new person`);
      go({ view: "people", id: other.id });
    } catch (error) {
      notice(error.message.replace(/;? ?(`triptych|name the ones).*/, "."), true);
    }
  };
  split.addEventListener("click", () => apart([...chosen]));
  halve.addEventListener("click", () => apart(null));
  const cells = person.shown.map((face) => {
    const cell = make(
      "button",
      { type: "button", className: "cell", ariaPressed: "false", ariaLabel: `Face ${face.id}` },
      make("img", { src: `photos/${face.photo}/faces/${face.id}`, alt: "", loading: "lazy" }),
    );
    cell.dataset.item = face.id;
    cell.addEventListener("click", () => {
      if (!chosen.delete(face.id)) chosen.add(face.id);
      cell.ariaPressed = String(chosen.has(face.id));
      split.disabled = !chosen.size || chosen.size === person.faces;
    });
    return cell;
  });
  place.replaceChildren(
    make("div", { className: "acts" }, make("p", { className: "quiet" }, "Choose faces that are not this person."), split, halve),
    make("div", { className: "faces" }, cells),
  );
}
