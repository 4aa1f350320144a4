/* The reading room: the gallery of a case and one cell of it large, two views of one page.

   Every act has a key and acts at once; what it says is saved behind. Nothing here waits for the
   server: the large picture and what stands beside it are fetched before they are asked for. */

import { Activation } from "./activation.js";
import {
  alertReader,
  announce,
  askWhy,
  covered,
  displaysOf,
  findingsOf,
  showFinding,
  showKeys,
  whyNothingToConfirm,
} from "./bench.js";
import { drawCharts } from "./charts.js";
import { Sight } from "./displays.js";
import { Ahead } from "./ahead.js";
import { Grid } from "./grid.js";
import { actOf, keyOf, panOf } from "./keymap.js";
import { Thumbnails } from "./thumbnails.js";
import { tileOf } from "./tile.js";
import { Viewer } from "./viewer.js";

const NO_IMAGE = "00000000-0000-0000-0000-000000000000";
const SETTLED = 120; // milliseconds on a cell after which what is slow to draw is drawn
const PAN = 60; // pixels
const NARROW = "(max-width: 40rem)";
const NOTHING = Object.freeze({ cell_class: "", exclusion: "" });

const room = document.querySelector("[data-room]");
const bench = document.querySelector("[data-bench]");
const list = document.querySelector("[data-cells]");
const large = document.querySelector("[data-large]");
const inLarge = (name) => large.querySelector(`[data-${name}]`);
const rows = JSON.parse(document.getElementById("cell-rows").textContent);
const cells = rows.filter(({ hidden }) => !hidden);
const placeOf = new Map(cells.map(({ id }, index) => [id, index]));
const rowOf = new Map(rows.map((row) => [row.id, row]));
const cellUrl = (id) => room.dataset.cellUrl.replace(NO_IMAGE, id);
const addresses = {
  cell: cellUrl,
  thumbnail: (id) => `${cellUrl(id)}thumbnail.webp`,
  image: (id) => `${cellUrl(id)}image.png`,
  details: (id) => `${cellUrl(id)}?part=details`,
};
const selected = new Set(); // of indexes
const conflicts = new Set(); // of ids
let current = 0;
let anchor = 0;
let settling = null;

const isLarge = () => room.dataset.view === "large";
const ahead = new Ahead(addresses, room.dataset.aheadUrl);
const standing = new Map(rows.filter(({ finding }) => finding).map(({ id, finding }) => [id, finding]));
const readOnly = { of: (image) => standing.get(image) ?? NOTHING, unsaved: 0 };
const seenBefore = rows.filter(({ displayed }) => displayed).map(({ id }) => id);
const noDisplays = { has: (image) => rowOf.get(image).displayed, unsaved: 0 };
const findings = bench ? findingsOf(standing, showConflict, compare) : readOnly;
const displays = bench ? displaysOf(seenBefore, showProgress, compare) : noDisplays;
const sight = bench && new Sight((image) => displays.add(image), covered);
const viewer = new Viewer(inLarge("viewer"), inLarge("large-picture"));
const activation = new Activation(inLarge("heat"), (canvas) => viewer.cover(canvas));
const thumbnails = new Thumbnails();
const grid = new Grid(list, cells.length, { draw, drop });

// ── What is shown ───────────────────────────────────────────────────────────────────────────────

function draw(index) {
  const row = cells[index];
  const tile = tileOf(row, index + 1, addresses);
  const picture = tile.querySelector("img");
  thumbnails.ask(picture, addresses.thumbnail(row.id));
  if (sight && !displays.has(row.id)) sight.watch(picture, row.id);
  tile.classList.toggle("conflict", conflicts.has(row.id));
  if (index === current) mark(tile, true);
  showFinding(tile.querySelector("[data-standing]"), findings.of(row.id), row.model);
  showChosen(tile, selected.has(index));
  return tile;
}

function drop(index, tile) {
  const picture = tile.querySelector("img");
  thumbnails.forget(picture);
  sight?.forget(picture);
}

function show(images) {
  for (const image of images) {
    const index = placeOf.get(image);
    const tile = grid.drawn.get(index);
    if (tile) {
      showFinding(tile.querySelector("[data-standing]"), findings.of(image), rowOf.get(image).model);
      tile.classList.toggle("conflict", conflicts.has(image));
    }
    if (isLarge() && index === current) showStanding();
  }
  showProgress();
}

function showConflict(images) {
  for (const image of images) conflicts.add(image);
  show(images);
}

function isUndecided({ id }) {
  const { cell_class, exclusion } = findings.of(id);
  return !cell_class && !exclusion;
}

/* Neither seen nor excluded: such a cell keeps the case from being signed. */
function isUnseen({ id }) {
  return !displays.has(id) && !findings.of(id).exclusion;
}

function needsALook({ reasons, failure }) {
  return Boolean(reasons || failure);
}

/* Of every cell of the case, also of those that the filter leaves out. */
function tally() {
  const said = rows.map(({ id }) => findings.of(id));
  const decided = said.filter(({ cell_class }) => cell_class).length;
  const excluded = said.filter(({ exclusion }) => exclusion).length;
  const displayed = rows.filter(({ id }) => displays.has(id)).length;
  const undecided = rows.length - decided - excluded;
  return { displayed, decided, excluded, undecided, images: rows.length };
}

function showProgress() {
  const counts = tally();
  for (const [name, count] of Object.entries(counts)) {
    const place = document.querySelector(`[data-count=${name}]`);
    if (place) place.textContent = count;
  }
  const bar = document.querySelector("[data-progress] progress");
  if (bar) bar.value = counts.decided + counts.excluded;
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

function showChosen(tile, chosen) {
  tile.classList.toggle("selected", chosen);
  tile.querySelector("[data-chosen]").hidden = !chosen;
}

function showSelection() {
  for (const [index, tile] of grid.drawn) showChosen(tile, selected.has(index));
}

function mark(tile, isCurrent) {
  tile.classList.toggle("current", isCurrent);
  tile.querySelector("a").tabIndex = isCurrent ? 0 : -1;
}

// ── Moving and selecting ────────────────────────────────────────────────────────────────────────

function moveTo(index, { focus = true, reveal = true } = {}) {
  const before = grid.drawn.get(current);
  if (before) mark(before, false);
  current = Math.max(0, Math.min(index, cells.length - 1));
  if (isLarge()) showLarge();
  else {
    const tile = reveal ? grid.reveal(current, covered()) : grid.element(current);
    grid.pinned = current;
    mark(tile, true);
    if (focus) tile.querySelector("a").focus({ preventScroll: true });
  }
  ahead.around(cells, current);
}

function target(key) {
  const down = isLarge() ? 1 : grid.columns;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -down, ArrowDown: down }[key];
  if (step === undefined) return key === "Home" ? 0 : cells.length - 1;
  const index = current + step;
  return index < 0 || index >= cells.length ? current : index;
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

function selectAll() {
  if (isLarge()) return;
  cells.forEach((_, index) => selected.add(index));
  showSelection();
  announce(`${selected.size} selected`);
}

function move(key, extend) {
  if (extend && !isLarge()) {
    if (!selected.size) anchor = current;
    selectRange(target(key));
    return;
  }
  selectNone();
  const to = target(key);
  if (isLarge() && to === current) announce("There is no further cell.");
  moveTo(to);
  anchor = current;
}

function next(asked) {
  const after = [...cells.keys()].map((step) => (current + 1 + step) % cells.length);
  return after.find((index) => asked(cells[index])) ?? -1;
}

/* To the first of these that is found: the cells that pass one question after the other. */
function goTo(...questions) {
  const found = questions.map(next).find((index) => index !== -1) ?? -1;
  moveTo(found === -1 ? current : found);
  anchor = current;
}

/* How much is left to do, in words. */
function left() {
  const undecided = rows.filter(isUndecided).length;
  if (undecided) return ` ${undecided} undecided.`;
  const unseen = rows.filter(isUnseen).length;
  if (!unseen) return ` Every cell was displayed and has a finding: ${keyOf("sign")} goes on to sign.`;
  return ` Every cell has a finding, ${unseen === 1 ? "one was" : `${unseen} were`} not displayed yet.`;
}

// ── Deciding ────────────────────────────────────────────────────────────────────────────────────

function chosen() {
  if (isLarge() || !selected.size) return [cells[current]];
  return [...selected].sort((a, b) => a - b).map((index) => cells[index]);
}

function decide(changes, { stay = isLarge() } = {}) {
  const asked = chosen();
  const single = asked.length === 1;
  for (const { id } of asked) conflicts.delete(id);
  const made = findings.decide(changes);
  alertReader("");
  show(asked.map(({ id }) => id));
  selectNone();
  const text = single && findings.of(asked[0].id);
  const said = single
    ? `Cell ${placeOf.get(asked[0].id) + 1}: ${text.cell_class || (text.exclusion && `excluded, ${text.exclusion}`) || "no finding"}.`
    : `${made.length} of ${asked.length} cells changed.`;
  if (stay) {
    if (!isLarge()) moveTo(current);
  } else goTo(isUndecided, isUnseen);
  announce(said + (stay ? "" : left()));
}

function give(cell_class) {
  decide(chosen().map(({ id }) => ({ image: id, cell_class })));
}

function confirm() {
  const asked = chosen();
  const answered = asked.filter(({ model }) => model);
  if (!answered.length) {
    alertReader(whyNothingToConfirm(asked[0], asked.length));
    return;
  }
  decide(answered.map(({ id, model }) => ({ image: id, cell_class: model })));
  const without = asked.length - answered.length;
  if (without) alertReader(`The model stands by no class for ${without} of the selected cells: they stay as they were.`);
}

async function exclude() {
  const asked = chosen();
  const what = asked.length === 1 ? `cell ${placeOf.get(asked[0].id) + 1}` : `each of ${asked.length} cells`;
  const exclusion = await askWhy(what);
  if (exclusion) decide(asked.map(({ id }) => ({ image: id, exclusion })));
  else moveTo(current);
}

function undo() {
  const images = findings.undo();
  if (!images) {
    announce("There is nothing to undo.");
    return;
  }
  show(images);
  selectNone();
  const first = images.map((image) => placeOf.get(image)).find((index) => index !== undefined);
  if (first !== undefined) moveTo(first);
  announce(images.length ? `Undone on ${images.length === 1 ? "one cell" : `${images.length} cells`}.` : "Changed elsewhere meanwhile: not undone.");
}

// ── One cell, large ─────────────────────────────────────────────────────────────────────────────

function setView(view) {
  room.dataset.view = view;
  large.hidden = view !== "large";
  list.closest("[data-gallery]").hidden = view === "large";
}

function open() {
  if (isLarge()) return;
  setView("large");
  history.pushState(null, "", cellUrl(cells[current].id));
  showLarge();
  // On a phone whose cell it is stands above the window, so that the picture is in it.
  if (matchMedia(NARROW).matches) large.scrollIntoView({ behavior: "instant" });
  else scrollTo({ top: 0, behavior: "instant" });
  inLarge("viewer").focus({ preventScroll: true });
}

function close() {
  if (!isLarge()) return;
  setView("gallery");
  history.replaceState(null, "", `${room.dataset.galleryUrl}#cell-${cells[current].id}`);
  document.title = document.title.replace(/^.*? · /, "");
  sight?.forget(inLarge("large-picture"));
  grid.resized();
  grid.render();
  show([...grid.drawn.keys()].map((index) => cells[index].id));
  moveTo(current);
}

function showLarge() {
  const row = cells[current];
  const place = current + 1;
  const picture = inLarge("large-picture");
  if (history.state !== row.id) history.replaceState(null, "", cellUrl(row.id));
  document.title = `Cell ${place} of ${cells.length} · ${room.dataset.number} · CytoDesk`;
  const words = [`Cell ${place}`, row.name, "as uploaded."].filter(Boolean).join(", ");
  viewer.show({ ...row, url: addresses.image(row.id), words });
  sight?.forget(picture);
  if (sight && !displays.has(row.id)) sight.watch(picture, row.id);
  inLarge("place-of-cell").textContent = place;
  inLarge("caption").textContent = captionOf(row);
  const ways = { gallery: `${room.dataset.galleryUrl}#cell-${row.id}`, previous: addressAt(current - 1), next: addressAt(current + 1) };
  for (const [name, address] of Object.entries(ways)) {
    const link = large.querySelector(`[data-go=${name}]`);
    link.hidden = !address;
    if (address) link.href = address;
  }
  const onward = large.querySelector("[data-go=undecided]");
  if (onward) onward.hidden = next((cell) => isUndecided(cell) && cell !== row) === -1;
  for (const field of large.querySelectorAll("[name=image]")) field.value = row.id;
  const confirms = large.querySelector("[data-act=confirm]");
  if (confirms) {
    confirms.hidden = !row.model;
    inLarge("abstained").hidden = !row.reasons;
  }
  showStanding();
  showDetails(row);
}

function addressAt(index) {
  return cells[index] ? cellUrl(cells[index].id) : "";
}

function captionOf({ name, width, height, micrometres }) {
  const scale = micrometres ? `, ${Number(micrometres.toPrecision(3))} µm each, as the file says` : "";
  return `${name ? `${name} · ` : ""}${width} × ${height} pixels${scale}`;
}

function showStanding() {
  const row = cells[current];
  const finding = findings.of(row.id);
  showFinding(inLarge("large-standing"), finding, row.model);
  for (const button of large.querySelectorAll("[data-summary]")) {
    button.setAttribute("aria-pressed", String(button.value === finding.cell_class));
  }
  const card = inLarge("own-class");
  card.hidden = !finding.cell_class || finding.cell_class === row.model;
  if (card.hidden || inLarge("own-class-name").textContent === finding.cell_class) return;
  inLarge("own-class-name").textContent = finding.cell_class;
  const address = large.querySelector(`[data-summary][value="${finding.cell_class}"]`)?.dataset.summary;
  if (address) globalThis.htmx?.ajax("GET", address, { target: "[data-own-class-summary]" });
}

/* What stands beside the picture is there at once where it was fetched ahead; its chart and what
   it fetches itself come once the reader rests on the cell. */
function showDetails({ id }) {
  const place = inLarge("details");
  const known = ahead.details.get(id);
  clearTimeout(settling);
  activation.know(null);
  if (typeof known === "string") fill(place, known, id);
  else {
    place.innerHTML = '<p class="card soft">What the model says is on its way.</p>';
    ahead.fetchDetails(id).then((text) => {
      if (isLarge() && cells[current].id === id) fill(place, text, id);
    });
  }
}

function fill(place, text, id) {
  place.innerHTML = text;
  knowMaps();
  settling = setTimeout(() => {
    if (!isLarge() || cells[current].id !== id) return;
    globalThis.htmx?.process(place);
    if (globalThis.Plotly) drawCharts(place);
  }, SETTLED);
}

function knowMaps() {
  const maps = inLarge("maps");
  const stored = maps?.querySelector("script");
  activation.know(stored ? JSON.parse(stored.textContent) : null, maps?.dataset.likeliest);
}

/* In the gallery it opens the cell with its map. */
function heat() {
  const wasLarge = isLarge();
  if (!wasLarge) open();
  if (wasLarge || !activation.shown) activation.toggle();
}

/* What there is of the picture beyond the frame. */
function pan(x, y) {
  if (isLarge()) viewer.pan(x, y);
}

// ── Hands ───────────────────────────────────────────────────────────────────────────────────────

const LOOKING = {
  large: open,
  heat,
  larger: () => viewer.zoom(true),
  smaller: () => viewer.zoom(false),
  fit: () => viewer.fit(),
  "pan-left": () => pan(-PAN, 0),
  "pan-right": () => pan(PAN, 0),
  "pan-up": () => pan(0, -PAN),
  "pan-down": () => pan(0, PAN),
  sheet: showKeys,
  next: () => {
    goTo((cell) => isUndecided(cell) && needsALook(cell), isUndecided, isUnseen);
    announce(left());
  },
  Escape: () => (isLarge() ? close() : selectNone()),
};
const DECIDING = {
  confirm,
  exclude,
  withdraw: () => decide(chosen().map(({ id }) => ({ image: id })), { stay: true }),
  undo,
  all: selectAll,
  sign: () => document.querySelector("[data-sign]").click(),
};
for (const button of large.querySelectorAll("[data-summary]")) {
  DECIDING[button.dataset.act] = () => give(button.value);
}
const ACTS = bench ? { ...LOOKING, ...DECIDING } : LOOKING;

document.addEventListener("keydown", (event) => {
  if (!cells.length) return;
  const act = actOf(event);
  if (/^(Arrow|Home|End)/.test(act)) {
    if (event.target.closest("[data-bench] button, summary, select")) return;
    event.preventDefault();
    if (isLarge() && event.shiftKey) ACTS[panOf(event)]?.();
    else move(act, event.shiftKey);
  } else if (act && ACTS[act]) {
    event.preventDefault();
    ACTS[act]();
  }
});

room.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (!button || !ACTS[button.dataset.act]) return;
  event.preventDefault();
  ACTS[button.dataset.act]();
  if (!document.querySelector("dialog[open]") && !isLarge()) grid.element(current).querySelector("a").focus({ preventScroll: true });
});

large.addEventListener("click", (event) => {
  const way = event.target.closest("[data-go]")?.dataset.go;
  if (!way || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  ({ gallery: close, previous: () => move("ArrowLeft"), next: () => move("ArrowRight"), undecided: LOOKING.next })[way]();
});

list.addEventListener("focusin", (event) => {
  const tile = event.target.closest("[data-cell]");
  const index = tile && placeOf.get(tile.dataset.cell);
  if (tile && index !== current) moveTo(index, { focus: false, reveal: false });
});

list.addEventListener("click", (event) => {
  const tile = event.target.closest("[data-cell]");
  if (!tile || event.detail === 0) {
    if (tile) {
      event.preventDefault(); // pressed by a reader of screens: opens the cell
      open();
    }
    return;
  }
  const index = placeOf.get(tile.dataset.cell);
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
list.addEventListener("dblclick", (event) => {
  if (event.target.closest("[data-cell]")) open();
});

addEventListener("popstate", () => {
  const id = /\/cells\/([0-9a-f-]{36})\/$/.exec(location.pathname)?.[1];
  if (id && placeOf.has(id)) {
    current = placeOf.get(id);
    setView("large");
    showLarge();
  } else if (isLarge()) close();
});

document.querySelector("[data-layout]")?.addEventListener("change", (event) => {
  event.target.form.requestSubmit();
});

// ── A reload begins where the page was ──────────────────────────────────────────────────────────

const PLACE = `place:${room.dataset.galleryUrl}`;

addEventListener("pagehide", () => {
  try {
    if (cells.length) sessionStorage.setItem(PLACE, cells[current].id);
  } catch {
    // storage is forbidden: a reload begins as any other visit
  }
});

function placeBeforeReload() {
  if (performance.getEntriesByType("navigation")[0]?.type !== "reload") return undefined;
  try {
    return placeOf.get(sessionStorage.getItem(PLACE));
  } catch {
    return undefined;
  }
}

// ── Beginning ───────────────────────────────────────────────────────────────────────────────────

if (bench) {
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--bench-height", `${bench.offsetHeight}px`);
    sight.observe();
  }).observe(bench);
}
for (const hidden of document.querySelectorAll("[data-with-script]")) hidden.hidden = false;
document.querySelector("[data-pager]")?.remove();
showProgress();
if (cells.length && isLarge()) {
  current = placeOf.get(/\/cells\/([0-9a-f-]{36})\//.exec(location.pathname)[1]);
  ahead.details.set(cells[current].id, inLarge("details").innerHTML);
  viewer.show({ ...cells[current], url: addresses.image(cells[current].id), words: inLarge("large-picture").alt });
  if (sight && !displays.has(cells[current].id)) sight.watch(inLarge("large-picture"), cells[current].id);
  inLarge("caption").textContent = captionOf(cells[current]);
  showStanding();
  knowMaps();
  ahead.around(cells, current);
} else if (cells.length) {
  const asked = placeBeforeReload() ?? placeOf.get(location.hash.replace("#cell-", ""));
  const first = bench ? cells.findIndex(isUndecided) : 0;
  current = asked ?? Math.max(first, 0);
  anchor = current;
  grid.render();
  // The strip above says whose cells these are: it stays in sight unless the work begins further down.
  moveTo(current, { focus: Boolean(bench) || asked !== undefined, reveal: asked !== undefined || current >= grid.columns });
}
