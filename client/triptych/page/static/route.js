// Where one is, as the part of the address behind #: /, /similar/12, /people, /people/3, /status; with ?q= a search, with &photo= one photo on top.

export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, id] = path.split("/");
  const asked = new URLSearchParams(query);
  return { view: view || "photos", id: Number(id) || null, q: asked.get("q") ?? "", photo: Number(asked.get("photo")) || null };
}

export function address({ view = "photos", id = null, q = "", photo = null }) {
  const query = new URLSearchParams();
  if (q) query.set("q", q);
  if (photo) query.set("photo", photo);
  const path = view === "photos" ? "" : id ? `${view}/${id}` : view;
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

export function go(place, replace = false) {
  if (replace) location.replace(address(place));
  else location.hash = address(place);
}
