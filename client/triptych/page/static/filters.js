// Which photos are shown: a year, or any two dates, and a folder. What is chosen stands in the address.

import { api } from "./api.js";
import { empty, make } from "./dom.js";
import { go, here, only } from "./route.js";

const TYPING = 500; // ms of rest in a date that is typed
const BETWEEN = "between";
const DEEPER = "\u2003"; // before a folder's name; of plain spaces a list shows none
const form = document.getElementById("filters");
const when = make("select", { ariaLabel: "When" });
const where = make("select", { ariaLabel: "Where" });
const since = make("input", { type: "date", ariaLabel: "From", min: "1800-01-01", max: "2999-12-31" });
const until = make("input", { type: "date", ariaLabel: "To", min: "1800-01-01", max: "2999-12-31" });
const dates = make("span", { className: "dates", hidden: true }, since, make("span", { className: "quiet" }, "to"), until);
const clear = make("button", { type: "button", className: "plain", hidden: true }, "Clear");
form.append(when, dates, where, clear);
let known = null; // what there is, and for which folder
let between = false; // was chosen; no date may be there yet

// Stands over every view of photos; `fresh` when there may be other photos than before.
export async function showFilters(place, fresh = false) {
  if (!narrowable(place)) return (form.hidden = true);
  if (fresh || known?.folder !== place.folder) {
    const folder = place.folder;
    const told = await api.filters(folder ? { folder } : {}).catch(() => null);
    if (!told || here().folder !== folder) return;
    known = { ...told, folder };
  }
  if (narrowable(here())) draw(here()); // and not over another view, to which one went meanwhile
}

function narrowable({ view, id }) {
  return view === "photos" || view === "similar" || (view === "people" && Boolean(id));
}

function draw(place) {
  const narrowed = Object.keys(only(place)).length > 0;
  const year = place.since === place.until && /^\d{4}$/.test(place.since) ? place.since : null;
  if (year) between = false;
  const open = between || Boolean(!year && (place.since || place.until));
  const years = known.years.map(({ year: each, photos }) => [String(each), `${each} (${photos.toLocaleString()})`]);
  if (year && !years.some(([each]) => each === year)) years.unshift([year, year]);
  fill(when, [["", "Any time"], ...years, [BETWEEN, "Between two dates…"]], open ? BETWEEN : (year ?? ""));
  dates.hidden = !open;
  if (document.activeElement !== since) since.value = edge(place.since, false);
  if (document.activeElement !== until) until.value = edge(place.until, true);
  const above = known.above.map(({ path, name }, at) => [path, DEEPER.repeat(at) + name]);
  const inside = DEEPER.repeat(above.length);
  const folders = known.folders.map(({ path, name, photos }) => [path, `${inside}${name} (${photos.toLocaleString()})`]);
  fill(where, [["", "Everywhere"], ...above, ...folders], place.folder.replace(/(.)\/+$/, "$1"));
  where.hidden = !above.length && !folders.length;
  for (const [each, chosen] of [[when, open || year], [where, place.folder]]) each.classList.toggle("chosen", Boolean(chosen));
  clear.hidden = !narrowed && !open;
  form.hidden = !narrowed && !open && known.years.length < 2 && where.hidden;
}

function fill(select, options, value) {
  const now = JSON.stringify(options);
  if (select.dataset.options !== now) {
    select.dataset.options = now;
    select.replaceChildren(...options.map(([each, text]) => make("option", { value: each }, text)));
  }
  select.value = value;
}

// 2024, 2024-05 or 2024-05-31 as the day it begins or ends with.
function edge(text, last) {
  const [year, month, day] = text.split("-").map(Number);
  if (!year) return "";
  if (day) return text;
  const at = last ? new Date(Date.UTC(year, month || 12, 0)) : new Date(Date.UTC(year, (month || 1) - 1, 1));
  return Number.isNaN(at.valueOf()) ? "" : at.toISOString().slice(0, 10);
}

// One step back leads out, however often it was refined.
function choose(change) {
  const place = { ...here(), ...change, photo: null };
  go(place, Object.keys(only(here())).length > 0 && Object.keys(only(place)).length > 0);
}

when.addEventListener("change", () => {
  between = when.value === BETWEEN;
  if (!between) return choose({ since: when.value, until: when.value });
  const { since: first, until: last } = here();
  draw(here());
  if (first || last) choose({ since: edge(first, false), until: edge(last, true) });
});
where.addEventListener("change", () => choose({ folder: where.value }));
clear.addEventListener("click", () => {
  between = false;
  when.focus(); // for the button goes
  choose({ since: "", until: "", folder: "" });
  draw(here());
});
let typing;
dates.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (form.hidden) return; // one went on to another view
    if (since.validity.valid && until.validity.valid) choose({ since: since.value, until: until.value }); // a year is typed digit by digit
  }, TYPING);
});
form.addEventListener("submit", (event) => event.preventDefault());

// For who found nothing, be it because of the filters or not.
export function nothing(place) {
  const { since: first, until: last, folder } = place;
  if (!Object.keys(only(place)).length) return empty("Nothing found");
  const time = first && first === last ? ` from ${first}` : `${first ? ` since ${first}` : ""}${last ? ` until ${last}` : ""}`;
  const there = folder ? [" in ", make("bdi", {}, folder.split("/").filter(Boolean).at(-1) ?? folder)] : [];
  const button = make("button", { type: "button", onclick: () => clear.click() }, "Clear the filters");
  return empty("Nothing found", make("p", {}, `No photo${time}`, ...there), button);
}
