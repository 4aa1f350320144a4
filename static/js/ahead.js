/* What the next keys will ask for, fetched before they do: pictures, and what stands beside them. */

import { pause } from "./api.js";

const CELLS = 3;
const REST = 250; // milliseconds on a cell before anything is fetched for its neighbours
const KEPT = 40; // cells whose details are kept
const LATER = 2500; // milliseconds until the next case is thought of

export class Ahead {
  constructor(addresses, nextCaseUrl) {
    this.addresses = addresses;
    this.details = new Map(); // id → text, or the promise of it
    this.pictures = new Set();
    this.timer = null;
    this.nextCase(nextCaseUrl);
  }

  /* Fetch for the cell and the next ones, once the reader rests on it. */
  around(cells, current) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      for (const { id } of cells.slice(current, current + CELLS + 1)) {
        this.picture(this.addresses.image(id));
        this.fetchDetails(id);
      }
    }, REST);
  }

  picture(url) {
    if (this.pictures.has(url)) return;
    this.pictures.add(url);
    const picture = new Image();
    picture.fetchPriority = "low";
    picture.src = url;
  }

  /* The text that stands beside a cell; asked again where it did not come. */
  fetchDetails(id) {
    const known = this.details.get(id);
    if (known) return Promise.resolve(known);
    const promise = this.fetchText(this.addresses.details(id)).then((text) => {
      this.details.set(id, text);
      for (const oldest of [...this.details.keys()].slice(0, -KEPT)) this.details.delete(oldest);
      return text;
    });
    this.details.set(id, promise);
    return promise;
  }

  async fetchText(url) {
    for (let wait = 500; ; wait = Math.min(2 * wait, 15_000)) {
      try {
        const answer = await fetch(url, { headers: { "X-Background": "true" }, credentials: "same-origin" });
        if (answer.ok && !answer.redirected) return await answer.text();
        if (answer.status < 500) return '<p class="card soft">What the model says cannot be shown now. Reload the page.</p>';
      } catch {
        // no connection: tried again
      }
      await pause(wait);
    }
  }

  async nextCase(url) {
    if (!url) return;
    await pause(LATER);
    try {
      const answer = await fetch(url, { headers: { "X-Background": "true" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      for (const picture of (await answer.json()).pictures) this.picture(picture);
    } catch {
      // no connection: the next case is fetched when it is opened
    }
  }
}
