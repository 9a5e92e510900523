// Talking to the server: one session, opened when it is first needed, named in a header and in no cookie.

export class Server {
  #session = null; // a promise of its name
  #name = null;

  async about() {
    return (await this.#answer(await this.#fetch("/api/about"))).json();
  }

  async give(role, file) {
    const headers = { "X-Name": encodeURIComponent(file.name) };
    return (await this.#send("PUT", `/api/photos/${role}`, file, headers)).json();
  }

  async giveExample(role, name) {
    return (await this.#send("PUT", `/api/photos/${role}/example/${name}`)).json();
  }

  async picture(role) {
    return (await this.#send("GET", `/api/photos/${role}`)).blob();
  }

  async render(wish) {
    const answer = await this.#send("POST", "/api/render", JSON.stringify(wish));
    const notes = JSON.parse(decodeURIComponent(answer.headers.get("X-Notes") ?? "%5B%5D"));
    return { blob: await answer.blob(), notes };
  }

  async strip(wish) {
    return (await this.#send("POST", "/api/strip", JSON.stringify(wish))).json();
  }

  async presets(wish) {
    return (await this.#send("POST", "/api/presets", JSON.stringify(wish))).json();
  }

  async savePreset(name, wish) {
    return (await this.#send("PUT", `/api/presets/${encodeURIComponent(name)}`, JSON.stringify(wish))).json();
  }

  async download(wish) {
    return this.#file(await this.#send("POST", "/api/download", JSON.stringify(wish)));
  }

  async continuum(wish) {
    return this.#file(await this.#send("POST", "/api/continuum", JSON.stringify(wish)));
  }

  // Gives another photo the wished expression; fetch takes all of them in one zip file.
  async finish(file, wish) {
    const headers = { "X-Name": encodeURIComponent(file.name), "X-Wish": encodeURIComponent(JSON.stringify(wish)) };
    return (await this.#send("PUT", "/api/batch", file, headers)).json();
  }

  async fetch() {
    return this.#file(await this.#send("POST", "/api/batch"));
  }

  async #file(answer) {
    return { blob: await answer.blob(), name: decodeURIComponent(answer.headers.get("X-Name")) };
  }

  leave() {
    if (this.#name) navigator.sendBeacon("/api/sessions/leave", this.#name);
    this.#session = this.#name = null;
  }

  async #send(method, path, body, headers = {}) {
    this.#session ??= this.#open();
    const name = await this.#session;
    return this.#answer(await this.#fetch(path, { method, body, headers: { "X-Session": name, ...headers } }));
  }

  async #open() {
    try {
      const answer = await this.#answer(await this.#fetch("/api/sessions", { method: "POST" }));
      this.#name = (await answer.json()).session;
      return this.#name;
    } catch (error) {
      this.#session = null;
      throw error;
    }
  }

  async #fetch(path, options) {
    try {
      return await fetch(path, options);
    } catch {
      throw new Error("The server does not answer: is twocet serve still running?");
    }
  }

  async #answer(response) {
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    const failure = new Error(error ?? `The server failed (${response.status}): try again.`);
    failure.gone = response.status === 410;
    if (failure.gone) this.#session = this.#name = null;
    throw failure;
  }
}
