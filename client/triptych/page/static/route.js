// Where one is, as the part of the address behind #: /, /similar/12, /people, /people/3, /status; with ?q= a search, with since=,
// until= and folder= only some photos, with photo= one photo on top. So Back, reload and a copied link lead to the same.

export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, id] = path.split("/");
  const asked = new URLSearchParams(query);
  const text = (name) => asked.get(name) ?? "";
  return {
    view: view || "photos",
    id: Number(id) || null,
    q: text("q"),
    since: text("since"),
    until: text("until"),
    folder: text("folder"),
    photo: Number(asked.get("photo")) || null,
  };
}

export function address({ view = "photos", id = null, q, since, until, folder, photo }) {
  const given = Object.entries({ q, since, until, folder, photo }).filter(([, value]) => value);
  const path = view === "photos" ? "" : id ? `${view}/${id}` : view;
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

export function go(place, replace = false) {
  if (replace) location.replace(address(place));
  else location.hash = address(place);
}

// Which photos are wanted, as the API takes it.
export function only({ since, until, folder }) {
  return Object.fromEntries(Object.entries({ since, until, folder }).filter(([, value]) => value));
}
