/* The gallery in the hands of the pathologist who holds the case: every act has a key. */

import { Sight } from "./displays.js";
import {
  CLASSES,
  actOf,
  alertReader,
  announce,
  askWhy,
  covered,
  displaysOf,
  findingsOf,
  go,
  showFinding,
  showKeys,
  whyNothingToConfirm,
} from "./bench.js";

const bench = document.querySelector("[data-bench]");
const tiles = [...document.querySelectorAll("[data-cell]")].map((element) => ({
  element,
  image: element.dataset.cell,
  model: element.dataset.model,
  link: element.querySelector("a"),
}));
const tileOf = new Map(tiles.map((tile) => [tile.image, tile]));
const selected = new Set(); // of indexes
let current = 0;
let anchor = 0;

const standing = new Map();
for (const { element, image } of tiles) {
  const { finding: id, class: cell_class, exclusion } = element.dataset;
  if (id) standing.set(image, { id, cell_class, exclusion });
}
const findings = findingsOf(standing, showConflict, compare);
const displayed = tiles.filter(({ element }) => element.hasAttribute("data-displayed"));
const displays = displaysOf(displayed.map(({ image }) => image), showProgress, compare);
const sight = new Sight((image) => displays.add(image), covered);

// ── What is shown ───────────────────────────────────────────────────────────────────────────────

function show(images) {
  for (const image of images) {
    const tile = tileOf.get(image);
    showFinding(tile.element.querySelector("[data-standing]"), findings.of(image), tile.model);
  }
  showProgress();
}

function showConflict(images) {
  show(images);
  for (const image of images) tileOf.get(image).element.classList.add("conflict");
}

function isUndecided({ image }) {
  const { cell_class, exclusion } = findings.of(image);
  return !cell_class && !exclusion;
}

function tally() {
  const said = tiles.map(({ image }) => findings.of(image));
  const decided = said.filter(({ cell_class }) => cell_class).length;
  const excluded = said.filter(({ exclusion }) => exclusion).length;
  const displayed = tiles.filter(({ image }) => displays.has(image)).length;
  const undecided = tiles.length - decided - excluded;
  return { displayed, decided, excluded, undecided, images: tiles.length };
}

function showProgress() {
  const counts = tally();
  for (const [name, count] of Object.entries(counts)) {
    document.querySelector(`[data-count=${name}]`).textContent = count;
  }
  document.querySelector("[data-progress] progress").value = counts.decided + counts.excluded;
}

/* The progress line cannot lie: what the server counts has to be what the page shows. */
function compare(progress) {
  const shown = tally();
  if (findings.unsaved || displays.unsaved) return;
  const agrees = ["images", "decided", "excluded"].every((name) => progress[name] === shown[name]);
  if (!agrees) {
    const sentence = "This case was also changed in another window. Reload to see it as it is.";
    alertReader(sentence, { lasting: true });
  }
}

function showSelection() {
  tiles.forEach(({ element }, index) => {
    element.classList.toggle("selected", selected.has(index));
    element.querySelector("[data-chosen]").hidden = !selected.has(index);
  });
}

// ── Moving and selecting ────────────────────────────────────────────────────────────────────────

function moveTo(index, { focus = true } = {}) {
  tiles[current].link.tabIndex = -1;
  tiles[current].element.classList.remove("current");
  current = Math.max(0, Math.min(index, tiles.length - 1));
  tiles[current].link.tabIndex = 0;
  tiles[current].element.classList.add("current");
  if (focus) tiles[current].link.focus();
}

function columns() {
  const top = tiles[0].element.offsetTop;
  const second = tiles.findIndex(({ element }) => element.offsetTop > top);
  return second === -1 ? tiles.length : second;
}

function target(key) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() }[key];
  if (step === undefined) return key === "Home" ? 0 : tiles.length - 1;
  const index = current + step;
  return index < 0 || index >= tiles.length ? current : index;
}

function selectRange(to) {
  selected.clear();
  for (let index = Math.min(anchor, to); index <= Math.max(anchor, to); index += 1) selected.add(index);
  moveTo(to);
  showSelection();
  announce(`${selected.size} selected`);
}

function selectNone() {
  selected.clear();
  showSelection();
}

function move(key, extend) {
  if (extend) {
    if (!selected.size) anchor = current;
    selectRange(target(key));
    return;
  }
  selectNone();
  moveTo(target(key));
  anchor = current;
}

/* Neither seen nor excluded: such a cell keeps the case from being signed. */
function isUnseen({ image }) {
  return !displays.has(image) && !findings.of(image).exclusion;
}

function next(asked) {
  const after = [...tiles.keys()].map((step) => (current + 1 + step) % tiles.length);
  return after.find((index) => asked(tiles[index])) ?? -1;
}

/* To the next cell without a finding; once there is none, to the next that was never in sight. */
function goOn() {
  const undecided = next(isUndecided);
  const unseen = next(isUnseen);
  if (undecided !== -1) moveTo(undecided);
  else if (unseen !== -1) moveTo(unseen);
  else moveTo(current);
  anchor = current;
  if (undecided !== -1) return ` ${tally().undecided} undecided.`;
  if (unseen === -1) return " Every cell was displayed and has a finding: S goes on to sign.";
  const left = tiles.filter(isUnseen).length;
  return ` Every cell has a finding, ${left === 1 ? "one was" : `${left} were`} not displayed yet.`;
}

// ── Deciding ────────────────────────────────────────────────────────────────────────────────────

function chosen() {
  return selected.size ? [...selected].sort((a, b) => a - b).map((index) => tiles[index]) : [tiles[current]];
}

function decide(changes, { stay = false } = {}) {
  const cells = chosen();
  const single = cells.length === 1;
  const made = findings.decide(changes);
  alertReader("");
  for (const { element } of cells) element.classList.remove("conflict");
  show(made);
  selectNone();
  const text = single && findings.of(cells[0].image);
  const said = single
    ? `Cell ${cells[0].element.dataset.place}: ${text.cell_class || (text.exclusion && `excluded, ${text.exclusion}`) || "no finding"}.`
    : `${made.length} of ${cells.length} cells changed.`;
  if (stay) moveTo(current);
  announce(said + (stay ? "" : goOn()));
}

function give(cell_class) {
  decide(chosen().map(({ image }) => ({ image, cell_class })));
}

function confirm() {
  const cells = chosen();
  const answered = cells.filter(({ model }) => model);
  if (!answered.length) {
    alertReader(whyNothingToConfirm(cells[0].element, cells.length));
    return;
  }
  decide(answered.map(({ image, model }) => ({ image, cell_class: model })));
  const without = cells.length - answered.length;
  if (without) alertReader(`The model stands by no class for ${without} of the selected cells: they stay as they were.`);
}

async function exclude() {
  const cells = chosen();
  const what = cells.length === 1 ? `cell ${cells[0].element.dataset.place}` : `each of ${cells.length} cells`;
  const exclusion = await askWhy(what);
  if (exclusion) decide(cells.map(({ image }) => ({ image, exclusion })));
  else moveTo(current);
}

function takeBack() {
  decide(chosen().map(({ image }) => ({ image })), { stay: true });
}

function undo() {
  const images = findings.undo();
  if (!images) {
    announce("There is nothing to undo.");
    return;
  }
  show(images);
  selectNone();
  if (images.length) moveTo(tiles.indexOf(tileOf.get(images[0])));
  announce(images.length ? `Undone on ${images.length === 1 ? "one cell" : `${images.length} cells`}.` : "Changed elsewhere meanwhile: not undone.");
}

const ACTS = {
  " ": confirm,
  x: exclude,
  Delete: takeBack,
  u: undo,
  n: () => announce(goOn()),
  Enter: () => go(tiles[current].link.href),
  s: () => document.querySelector("[data-sign]").click(),
  "?": showKeys,
  Escape: selectNone,
  all: () => {
    tiles.forEach((_, index) => selected.add(index));
    showSelection();
    announce(`${selected.size} selected`);
  },
};
CLASSES.forEach((cell_class, index) => {
  ACTS[index + 1] = () => give(cell_class);
});

// ── Hands ───────────────────────────────────────────────────────────────────────────────────────

document.addEventListener("keydown", (event) => {
  const act = actOf(event);
  if (/^(Arrow|Home|End)/.test(act)) {
    if (event.target.closest("[data-bench] button, summary")) return;
    event.preventDefault();
    move(act, event.shiftKey);
  } else if (act && ACTS[act]) {
    event.preventDefault();
    ACTS[act]();
  }
});

bench.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  ACTS[button.dataset.act]();
  if (!document.querySelector("dialog[open]")) tiles[current].link.focus();
});

tiles.forEach(({ element, link }, index) => {
  link.tabIndex = -1;
  if (!displays.has(tiles[index].image)) sight.watch(element.querySelector("img"), tiles[index].image);
  link.addEventListener("focus", () => moveTo(index, { focus: false }));
  element.addEventListener("click", (event) => {
    if (event.detail === 0) return; // pressed by a key or a reader of screens: opens the cell
    event.preventDefault();
    if (event.shiftKey) {
      selectRange(index);
    } else if (event.ctrlKey || event.metaKey) {
      if (!selected.delete(index)) selected.add(index);
      anchor = index;
      moveTo(index);
      showSelection();
    } else {
      selectNone();
      moveTo(index);
      anchor = index;
    }
  });
  element.addEventListener("dblclick", () => go(link.href));
});

new ResizeObserver(() => {
  document.documentElement.style.setProperty("--bench-height", `${bench.offsetHeight}px`);
  sight.observe();
}).observe(bench);

document.querySelector("[data-with-script]").hidden = false;
show(tiles.map(({ image }) => image));
if (tiles.length) {
  const asked = tiles.findIndex(({ link }) => `#${link.id}` === location.hash);
  const first = tiles.findIndex(isUndecided);
  moveTo(asked === -1 ? Math.max(first, 0) : asked, { focus: false });
  anchor = current;
  // The strip above says whose cells these are: it stays in sight unless the work begins further down.
  tiles[current].link.focus({ preventScroll: asked === -1 && current < columns() });
}
