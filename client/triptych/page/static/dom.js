// Elements from a tag, attributes and children; nothing is ever made of strings of HTML.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function empty(title, ...more) {
  return make(
    "div",
    { className: "empty" },
    make("h2", {}, title),
    ...more.map((line) => (typeof line === "string" ? make("p", {}, line) : line)),
  );
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

// Said to who cannot see it.
export function say(text) {
  document.getElementById("said").textContent = text;
}

let timer;
export function notice(text, wrong = false) {
  const place = document.getElementById("notice");
  place.textContent = text;
  place.className = wrong ? "shown wrong" : "shown";
  clearTimeout(timer);
  timer = setTimeout(() => (place.className = ""), wrong ? 8000 : 4000);
}

// Dates are local times without a zone, as cameras write them.
export function day(taken) {
  return new Date(taken).toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
}

export function month(taken) {
  return new Date(taken).toLocaleDateString(undefined, { month: "long", year: "numeric" });
}
