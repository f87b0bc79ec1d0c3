// What the gateway says, as objects; its refusals, in its own words, as errors.

export class Refusal extends Error {
  constructor(text, status) {
    super(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
    this.status = status;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The gateway does not answer. Is it still running?", 0);
  }
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(told.detail ?? `The gateway answered ${answer.status}.`, answer.status);
  return told;
}

const get = (path, signal) => ask(`api/${path}`, { signal });
const send = (method, path, body) =>
  ask(`api/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

export const api = {
  library: () => get("library"),
  photos: (query, signal) => get(`photos?${new URLSearchParams(query)}`, signal),
  search: (query, signal) => get(`search?${new URLSearchParams(query)}`, signal),
  photo: (id) => get(`photos/${id}`),
  filters: (query) => get(`filters?${new URLSearchParams(query)}`),
  similar: (id, query, signal) => get(`photos/${id}/similar?${new URLSearchParams(query)}`, signal),
  similarTo: (file, query, signal) =>
    ask(`api/similar?${new URLSearchParams(query)}`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file, signal }),
  people: (signal) => get("people", signal),
  person: (id, signal) => get(`people/${id}`, signal),
  name: (id, name) => send("PATCH", `people/${id}`, { name }),
  merge: (id, people) => send("POST", `people/${id}/merge`, { people }),
  split: (id, faces) => send("POST", `people/${id}/split`, faces ? { faces } : {}),
  removeFace: (id) => send("DELETE", `faces/${id}`),
  index: () => get("index"),
  runIndex: (run) => send("POST", "index", { run }),
  status: () => get("status"),
  whyNot: (picture) => ask(picture).then(() => "", (error) => error.message), // of a picture that did not come
};
