/* Which cells were in sight of the reader: noticed in the page, saved behind, never guessed.

   A cell counts as displayed once most of its picture stood in the window for a moment, loaded,
   under no dialog, in a tab that is looked at. What is not saved yet also lies in the tab's session
   storage; sending it twice does no harm. */

import { pause, send } from "./api.js";

const MOMENT = 250; // milliseconds
const BATCH = 500;
const GATHER = 1000; // milliseconds in which displays join one request
const PAUSES = [1000, 2000, 4000, 8000, 15000];
const MOST_OF_IT = 0.6;

export class Displays {
  /* `displayed` are the ids that the page came with; `changed()` is called with each new one,
     `saved(progress)` after an answer. */
  constructor({ url, key, displayed, changed, saved = () => {} }) {
    Object.assign(this, { url, key, displayed: new Set(displayed), changed, saved });
    this.queue = new Set(this.restore());
    for (const image of this.queue) this.displayed.add(image);
    this.sending = null;
    this.stopped = false;
    const resume = () => this.queue.size && this.flush();
    addEventListener("online", resume);
    addEventListener("focus", resume); // perhaps after a new log-in in another tab
    resume();
  }

  has(image) {
    return this.displayed.has(image);
  }

  get unsaved() {
    return this.queue.size;
  }

  add(image) {
    if (this.displayed.has(image)) return;
    this.displayed.add(image);
    this.queue.add(image);
    this.keep();
    this.changed(image);
    this.flush({ gather: true });
  }

  /* Resolves once nothing waits any more; false where the server refuses. */
  flush({ gather = false } = {}) {
    this.hurry = this.hurry || !gather;
    this.wake?.();
    this.sending ??= this.send().finally(() => {
      this.sending = null;
      this.hurry = false;
    });
    return this.sending;
  }

  async send() {
    let failures = 0;
    while (this.queue.size && !this.stopped) {
      if (!this.hurry) await this.wait(GATHER);
      const batch = [...this.queue].slice(0, BATCH);
      const answer = await send("POST", this.url, { images: batch }, { background: true, retry: false });
      if (answer.ok) {
        failures = 0;
        for (const image of batch) this.queue.delete(image);
        this.keep();
        this.saved(answer.data.progress);
      } else if (answer.status === 0 || answer.status === 429 || answer.status >= 500) {
        this.hurry = true; // the pause between attempts is pause enough
        await this.wait(PAUSES[Math.min(failures, PAUSES.length - 1)]);
        failures += 1;
      } else if (answer.status === 401) {
        return false; // the findings' line asks to log in again; kept in this tab
      } else {
        this.stopped = true; // the case is in other hands now
      }
    }
    return !this.queue.size;
  }

  wait(milliseconds) {
    return Promise.race([
      pause(milliseconds),
      new Promise((resolve) => {
        this.wake = resolve;
      }),
    ]);
  }

  keep() {
    try {
      sessionStorage.setItem(this.key, JSON.stringify([...this.queue]));
    } catch {
      // Storage is full or forbidden: what is lost is looked at again.
    }
  }

  restore() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }
}

/* Tell of each picture that was in sight for a moment. `watch(img, id)` begins, `forget(img)` ends;
   what covers the page's edges is asked of `covered()` as {top, bottom} in pixels. */
export class Sight {
  constructor(seen, covered = () => ({ top: 0, bottom: 0 })) {
    this.seen = seen;
    this.covered = covered;
    this.inSight = new Map(); // picture → timer
    this.ids = new WeakMap();
    this.observe();
    addEventListener("resize", () => this.observe());
    document.addEventListener("visibilitychange", () => this.again());
    document.addEventListener("close", () => this.again(), true); // of a dialog
  }

  observe() {
    const { top, bottom } = this.covered();
    const watched = this.watched ?? new Set();
    this.observer?.disconnect();
    this.observer = new IntersectionObserver((entries) => this.met(entries), {
      threshold: MOST_OF_IT,
      rootMargin: `-${Math.round(top)}px 0px -${Math.round(bottom)}px 0px`,
    });
    this.watched = watched;
    for (const picture of watched) this.observer.observe(picture);
  }

  watch(picture, id) {
    this.ids.set(picture, id);
    this.watched.add(picture);
    this.observer.observe(picture);
  }

  forget(picture) {
    this.watched.delete(picture);
    this.observer.unobserve(picture);
    clearTimeout(this.inSight.get(picture));
    this.inSight.delete(picture);
  }

  met(entries) {
    for (const { target, intersectionRatio } of entries) {
      clearTimeout(this.inSight.get(target));
      this.inSight.delete(target);
      if (intersectionRatio >= MOST_OF_IT) this.begin(target);
    }
  }

  begin(picture) {
    this.inSight.set(picture, setTimeout(() => this.look(picture), MOMENT));
  }

  look(picture) {
    if (document.hidden || document.querySelector("dialog[open]")) return; // begun again after it
    if (picture.complete && picture.naturalWidth) this.tell(picture);
    else picture.addEventListener("load", () => this.restart(picture), { once: true });
  }

  restart(picture) {
    if (this.inSight.has(picture)) this.begin(picture);
  }

  again() {
    for (const [picture, timer] of this.inSight) {
      clearTimeout(timer);
      this.begin(picture);
    }
  }

  tell(picture) {
    const id = this.ids.get(picture);
    this.forget(picture);
    this.seen(id);
  }
}
