/* The pictures of the tiles: a few are on their way at once, those in the window first.

   A browser asks for every picture that was ever in the page, in the order in which it came: after a
   quick scroll through 2,000 cells what is in the window would wait for all that was passed. */

const AT_ONCE = 6;

export class Thumbnails {
  constructor() {
    this.waiting = new Map(); // picture → url
    this.coming = 0;
    this.due = false;
  }

  ask(picture, url) {
    this.waiting.set(picture, url);
    if (this.due) return;
    this.due = true;
    queueMicrotask(() => {
      this.due = false;
      this.go();
    });
  }

  forget(picture) {
    this.waiting.delete(picture);
  }

  go() {
    while (this.waiting.size && this.coming < AT_ONCE) this.fetch(this.nearest());
  }

  fetch(picture) {
    const done = () => {
      this.coming -= 1;
      this.go();
    };
    this.coming += 1;
    picture.addEventListener("load", done, { once: true });
    picture.addEventListener("error", done, { once: true });
    picture.src = this.waiting.get(picture);
    this.waiting.delete(picture);
  }

  /* Of those that wait; among equals the one that was asked for first. */
  nearest() {
    let [best, least] = [null, Infinity];
    for (const picture of this.waiting.keys()) {
      const { top, bottom } = picture.getBoundingClientRect();
      const distance = Math.max(0, top - innerHeight, -bottom);
      if (distance < least) [best, least] = [picture, distance];
    }
    return best;
  }
}
