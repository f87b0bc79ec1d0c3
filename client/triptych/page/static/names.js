// Giving somebody a name; where somebody has it already, the two may be one.

import { api } from "./api.js";
import { count, make, notice } from "./dom.js";

export const label = (person) => person.name ?? `Person ${person.person ?? person.id}`;

export const cover = (person, lazy = true) =>
  make("img", { className: "round", src: `people/${person.id}/face`, alt: "", loading: lazy ? "lazy" : "eager", decoding: "async" });

// A question over everything; resolves to the answer's value, null when it was put away.
export function question(title, children, answers) {
  const dialog = make("dialog", { className: "question" });
  return new Promise((resolve) => {
    let answer = null;
    const buttons = answers.map(([text, value], at) =>
      make("button", { type: "button", className: at || value === null ? "" : "main", onclick: () => ((answer = value), dialog.close()) }, text),
    );
    const choose = (value) => ((answer = value), dialog.close());
    dialog.append(make("h2", {}, title), ...(typeof children === "function" ? children(choose) : children), make("div", { className: "answers" }, buttons));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Resolves to the person as it is now, who may be another one than before; null when nothing was changed.
export async function giveName(person, text) {
  const name = text.trim() || null;
  if (name === person.name) return null;
  try {
    const { people } = await api.people();
    const other = name && people.find((one) => one.id !== person.id && one.name?.toLocaleLowerCase() === name.toLocaleLowerCase());
    if (!other) return await api.name(person.id, name);
    const faces = make("div", { className: "pair" }, cover(person), cover(other));
    const same = await question(`Is this the same ${other.name}?`, [faces, make("p", {}, `There is ${other.name} already, on ${count(other.photos, "photo")}.`)], [
      ["Yes, join the two", true],
      ["No", false],
    ]);
    return same ? await api.merge(other.id, [person.id]) : null;
  } catch (error) {
    notice(error.message, true);
    return null;
  }
}
