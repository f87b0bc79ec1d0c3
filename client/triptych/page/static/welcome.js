// Where no photo is yet: the one command that brings some, or how the run goes that is bringing them.

import { api } from "./api.js";
import { count, make, notice } from "./dom.js";
import { indexing, progress } from "./indexing.js";

// An element that follows the index run until `signal`.
export function welcome(signal) {
  const place = make("div", { className: "empty" });
  let shown = null;
  const stop = indexing.follow(async (state) => {
    if (!state.running && shown?.running === false && shown.error === state.error) return;
    if (state.running && shown?.running) return place.querySelector(".progress")?.replaceWith(progress(state));
    shown = state;
    const library = await api.library().catch(() => null);
    if (!library) shown = null; // the next change asks again
    if (shown !== state) return;
    place.replaceChildren(...(state.running ? coming(state) : library.folders.length ? nothing(library, state) : first(library)));
  });
  signal.addEventListener("abort", stop);
  return place;
}

function first(library) {
  const copy = make("button", { type: "button", hidden: !navigator.clipboard }, "Copy");
  copy.addEventListener("click", () =>
    navigator.clipboard.writeText(library.command).then(
      () => notice("Copied"),
      () => notice("The browser did not allow it.", true),
    ),
  );
  return [
    make("h2", {}, "No photos yet"),
    make("p", {}, "Name a folder in a terminal, and its photos appear here while they are indexed:"),
    make("div", { className: "command" }, make("pre", { tabIndex: 0, ariaLabel: "Command" }, library.command), copy),
    make("p", { className: "quiet" }, "The folder is only read; nothing in it is changed."),
  ];
}

function coming(state) {
  return [make("h2", {}, "Photos are on their way"), progress(state), make("p", { className: "quiet" }, "They appear here as they come.")];
}

function nothing(library, state) {
  const again = make("button", { type: "button", className: "main" }, "Look again");
  again.addEventListener("click", async () => {
    again.disabled = true;
    await api.runIndex(true).catch((error) => notice(error.message, true));
    again.disabled = false;
    document.dispatchEvent(new Event("index"));
  });
  return [
    make("h2", {}, "No photos in here"),
    make(
      "ul",
      { className: "folders" },
      library.folders.map((folder) => make("li", {}, make("bdi", {}, folder))),
    ),
    state.error ? make("p", { className: "wrong" }, state.error) : "",
    library.failed
      ? make("p", {}, make("a", { href: "#/status" }, `${count(library.failed, "file")} could not be indexed`))
      : make("p", {}, "Photos are found by their file names: JPEG, PNG, WebP, HEIC, AVIF, TIFF, GIF and BMP."),
    again,
  ];
}
