// The library and how its indexing goes; the servers, what every model runs on and how much it does.

import { api } from "./api.js";
import { count, make, notice } from "./dom.js";
import { indexing, progress } from "./indexing.js";

const LOOK = 2000;
const DASH = "–";

export async function showStatus(place, signal) {
  const own = make("section", { className: "card" });
  const servers = make("div", { className: "servers" }, make("p", { className: "quiet" }, "Asking the servers…"));
  place.replaceChildren(
    make("div", { className: "status" }, make("header", { className: "head" }, make("h1", {}, "Status")), own, servers),
  );
  const draw = async (state) => {
    const library = await api.library();
    if (signal.aborted) return;
    const [focused, open] = [own.contains(document.activeElement), own.querySelector("details")?.open];
    own.replaceChildren(...libraryCard(library, state));
    if (open && own.querySelector("details")) own.querySelector("details").open = true;
    if (focused) own.querySelector("button, summary")?.focus();
  };
  const stop = indexing.follow((state) =>
    draw(state).catch((error) => own.replaceChildren(make("p", { className: "wrong" }, error.message))),
  );
  signal.addEventListener("abort", stop);
  const before = new Map();
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        const { tritons } = await api.status();
        if (!signal.aborted) servers.replaceChildren(...tritons.map((triton) => server(triton, before)));
      } catch (error) {
        servers.replaceChildren(make("p", { className: "wrong" }, error.message));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

function libraryCard(library, state) {
  const act = make(
    "button",
    {
      type: "button",
      className: state.running ? "" : "main",
      hidden: state.elsewhere || state.phase === "waiting",
      disabled: state.phase === "stopping" || !(library.folders.length || state.running),
    },
    state.running ? (state.phase === "stopping" ? "Stopping…" : "Stop") : "Index now",
  );
  act.addEventListener("click", async () => {
    act.disabled = true;
    try {
      await api.runIndex(!state.running);
    } catch (error) {
      notice(error.message, true);
    }
    document.dispatchEvent(new Event("index"));
  });
  const folders = library.folders.map((folder) => make("li", {}, make("bdi", {}, folder)));
  return [
    make("div", { className: "title" }, make("h2", {}, "Library"), act),
    make("p", { className: "figure" }, count(library.photos, "photo")),
    folders.length
      ? make("ul", { className: "folders" }, folders)
      : make("p", { className: "quiet" }, `No folder is indexed yet: ${library.command}`),
    run(state),
    library.failed
      ? make(
          "details",
          {},
          make("summary", {}, `${count(library.failed, "file")} could not be indexed`),
          make(
            "dl",
            {},
            library.failures.flatMap(({ name, why }) => [make("dt", {}, name), make("dd", {}, why)]),
          ),
        )
      : "",
  ];
}

function run(state) {
  if (state.phase === "idle") return "";
  if (state.error) return make("p", { className: "wrong" }, state.error);
  if (!state.running) return make("p", { className: "quiet" }, outcome(state));
  const whose = state.elsewhere ? make("p", { className: "quiet" }, "Another program started it.") : "";
  return make("div", {}, progress(state), whose);
}

function outcome({ phase, report }) {
  const done = ["added", "changed", "moved", "copied", "removed"]
    .filter((what) => report[what])
    .map((what) => `${report[what].toLocaleString()} ${what}`);
  if (report.new_people) done.push(count(report.new_people, "new person", "new people"));
  if (report.failed.length) done.push(`${report.failed.length} failed`);
  if (phase === "stopped")
    return `Stopped with ${count(report.left, "photo")} to go${done.length ? `; ${done.join(", ")}` : ""}. The next run goes on.`;
  return `Up to date${done.length ? `: ${done.join(", ")}` : "; nothing was new"}.`;
}

function server(triton, before) {
  const now = performance.now();
  const rows = triton.models
    .filter((model) => model.state !== "NOT LOADED")
    .map((model) => {
      const key = `${triton.url} ${model.name}`;
      const old = before.get(key);
      before.set(key, { count: model.count, now });
      const rate = old && model.count !== null && model.count >= old.count ? (1000 * (model.count - old.count)) / (now - old.now) : null;
      const ready = model.state === "READY";
      return make(
        "tr",
        { className: ready ? (model.fallback ? "elsewhere" : "") : "down" },
        make("th", { scope: "row" }, make("i", { className: "dot", title: model.reason ?? model.state }), model.name),
        cell("asked", model.device_requested),
        cell("device", model.device_actual),
        cell("precision", model.precision),
        cell("p50", model.p50_ms === null ? null : `${model.p50_ms.toFixed(1)} ms`),
        cell("batch", model.mean_batch?.toFixed(1)),
        cell("rate", rate ? `${rate.toFixed(rate < 10 ? 1 : 0)}/s` : null),
        cell("count", model.count?.toLocaleString()),
      );
    });
  const heads = ["Model", "Asked", "Runs on", "Precision", "Median", "Batch", "Now", "Total"].map((text) =>
    make("th", { scope: "col" }, text),
  );
  return make(
    "section",
    { className: "card" },
    make("div", { className: "title" }, make("h2", {}, "Server"), make("span", { className: "quiet" }, triton.url)),
    ...triton.problems.map((problem) => make("p", { className: "wrong" }, problem)),
    rows.length
      ? make("div", { className: "table" }, make("table", {}, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)))
      : "",
    triton.note ? make("p", { className: "quiet" }, triton.note) : "",
  );
}

const cell = (name, text) => make("td", { className: name }, text ?? DASH);
