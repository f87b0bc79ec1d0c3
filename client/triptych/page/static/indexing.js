// How the index run goes: asked every second while one is going on and now and then otherwise, told to who follows, and a line at the top.

import { api } from "./api.js";

const SOON = 1000;
const LATER = 10000;
const followers = new Set();
const light = document.getElementById("light");
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
      for (const follower of followers) follower(state, ended);
    }
  }
  timer = setTimeout(look, last?.running ? SOON : LATER);
}

export const indexing = {
  // Calls back at once with what is known, and at every change; gives the function that ends it.
  follow(callback) {
    followers.add(callback);
    if (last) callback(last, false);
    return () => followers.delete(callback);
  },
};

document.addEventListener("index", look);
document.addEventListener("visibilitychange", () => document.hidden || look());
look();
