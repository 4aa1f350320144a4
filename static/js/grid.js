/* A grid of which only what is in sight, and a screen around it, is in the page.

   Every tile has the same height, so that the place of each is known without drawing it. */

const TILES = {
  small: { least: 7.5, words: 7.75 },
  medium: { least: 11.5, words: 8.75 },
  large: { least: 17, words: 7.75 },
}; // in rem: the least width, and the height of what stands around the picture
const UNSAID = 3.5; // rem that are not needed where the model says nothing
const GAP = 0.625;
const FRAME = 1.125; // padding and border on both sides

export class Grid {
  /* `draw(index)` makes a tile, `drop(index, element)` hears that one has gone. */
  constructor(list, count, { draw, drop }) {
    Object.assign(this, { list, count, draw, drop });
    this.drawn = new Map();
    this.pinned = 0;
    this.due = 0;
    list.replaceChildren();
    list.classList.add("virtual");
    this.measure();
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(list);
  }

  measure() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const { least, words } = TILES[this.list.dataset.size] ?? TILES.medium;
    const width = this.list.clientWidth;
    const gap = GAP * rem;
    const narrowest = Math.min(least * rem, width * 0.46);
    this.columns = Math.max(1, Math.floor((width + gap) / (narrowest + gap)));
    this.tileWidth = (width - gap * (this.columns - 1)) / this.columns;
    const said = this.list.hasAttribute("data-blind-tiles") ? words - UNSAID : words;
    this.tileHeight = this.tileWidth - FRAME * rem + said * rem;
    this.stepAcross = this.tileWidth + gap;
    this.stepDown = this.tileHeight + gap;
    this.width = width;
    const rows = Math.ceil(this.count / this.columns);
    this.list.style.height = `${Math.max(0, rows * this.stepDown - gap)}px`;
  }

  /* Also after the other view was shown: the window may have another width since. */
  resized() {
    if (!this.list.clientWidth || this.list.clientWidth === this.width) return;
    this.measure();
    for (const [index, tile] of this.drawn) this.put(index, tile);
    this.render();
  }

  put(index, tile) {
    const x = (index % this.columns) * this.stepAcross;
    const y = Math.floor(index / this.columns) * this.stepDown;
    tile.style.transform = `translate(${x}px, ${y}px)`;
    tile.style.width = `${this.tileWidth}px`;
    tile.style.height = `${this.tileHeight}px`;
  }

  soon() {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.render();
    });
  }

  /* The indexes from the first to the last tile of what is in sight and so many screens around. */
  range(screens) {
    const { top } = this.list.getBoundingClientRect();
    const around = innerHeight * screens;
    const first = Math.max(0, Math.floor((-top - around) / this.stepDown)) * this.columns;
    const last = Math.ceil((innerHeight - top + around) / this.stepDown) * this.columns;
    return [first, Math.max(first, Math.min(this.count, last))];
  }

  render() {
    if (!this.list.clientWidth) return; // the other view is shown
    const [first, last] = this.range(1);
    for (const [index, tile] of this.drawn) {
      if ((index >= first && index < last) || index === this.pinned) continue;
      tile.remove();
      this.drawn.delete(index);
      this.drop(index, tile);
    }
    for (let index = first; index < last; index += 1) this.element(index);
    if (this.pinned < this.count) this.element(this.pinned);
  }

  /* The tile, drawn now if it was not; the list keeps the order of the cells. */
  element(index) {
    const known = this.drawn.get(index);
    if (known) return known;
    const tile = this.draw(index);
    this.put(index, tile);
    const after = [...this.drawn.keys()].filter((other) => other > index);
    this.list.insertBefore(tile, after.length ? this.drawn.get(Math.min(...after)) : null);
    this.drawn.set(index, tile);
    return tile;
  }

  /* Bring a tile into the part of the window that nothing covers. */
  reveal(index, { top, bottom }) {
    this.pinned = index;
    const room = 8;
    const start = this.list.getBoundingClientRect().top + Math.floor(index / this.columns) * this.stepDown;
    const end = start + this.tileHeight;
    if (start < top + room) scrollBy({ top: start - top - room, behavior: "instant" });
    else if (end > innerHeight - bottom - room) {
      scrollBy({ top: Math.min(end - innerHeight + bottom + room, start - top - room), behavior: "instant" });
    }
    this.render();
    return this.element(index);
  }
}
