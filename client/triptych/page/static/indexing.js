// How the index run goes, the page's own or another program's: asked every second while one is going on and now and then otherwise, told
// to who follows, and shown as a line at the top.

import { api } from "./api.js";
import { count, make } from "./dom.js";

const SOON = 1000;
const LATER = 4000;
const followers = new Set();
const light = document.getElementById("light");
const line = document.getElementById("advance");
let last = null;
let timer = null;

async function look() {
  clearTimeout(timer);
  if (!document.hidden) {
    const state = await api.index().catch(() => null);
    if (state && JSON.stringify(state) !== JSON.stringify(last)) {
      const ended = last?.running && !state.running;
      last = state;
      light.hidden = !state.running;
      show(line, state);
      for (const follower of followers) follower(state, ended);
    }
  }
  clearTimeout(timer); // of another look that began meanwhile
  timer = setTimeout(look, last?.running ? SOON : LATER);
}

function show(bar, state) {
  bar.hidden = !state.running;
  if (state.running && state.total && state.phase === "sending") Object.assign(bar, { max: state.total, value: state.done });
  else bar.removeAttribute("value");
}

export const indexing = {
  // Calls back at once with what is known, and at every change; gives the function that ends it.
  follow(callback) {
    followers.add(callback);
    if (last) callback(last, false);
    return () => followers.delete(callback);
  },
};

// A bar with its figures.
export function progress(state) {
  const bar = make("progress", { ariaLabel: "Indexing" });
  show(bar, state);
  return make("div", { className: "progress" }, bar, make("p", { className: "quiet" }, how(state)));
}

function how(state) {
  if (state.phase === "waiting") return "Waiting for the server and its models…";
  if (state.phase === "looking") return "Looking through the folders…";
  if (state.phase === "grouping") return "Finding out who is who…";
  if (state.phase === "stopping") return "Stopping, when the requests under way are answered…";
  const left = state.rate ? (state.total - state.done) / state.rate : null;
  const parts = [
    `${state.done.toLocaleString()} of ${count(state.total, "photo")}`,
    state.rate ? `${state.rate.toFixed(state.rate < 10 ? 1 : 0)}/s` : "",
    left === null ? "" : `${span(left)} left`,
  ];
  if (state.failed) parts.push(`${state.failed.toLocaleString()} failed`);
  return parts.filter(Boolean).join(" · ");
}

function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

document.addEventListener("index", look);
document.addEventListener("visibilitychange", () => document.hidden || look());
look();
