/* One cell, large: the keys of the gallery, its neighbours, and the size of the picture. */

import {
  CLASSES,
  actOf,
  alertReader,
  announce,
  askWhy,
  displaysOf,
  findingsOf,
  showFinding,
  showKeys,
  whyNothingToConfirm,
} from "./bench.js";
import { Sight } from "./displays.js";
import { toggle as toggleActivation } from "./activation.js";

const ZOOM = "cell-zoom"; // remembered from cell to cell in this tab

// ── The picture ─────────────────────────────────────────────────────────────────────────────────

const sizes = [...document.querySelectorAll("[name=zoom]")];

function size(step) {
  const index = sizes.findIndex(({ checked }) => checked);
  const place = Math.max(0, Math.min(step === 0 ? 0 : index + step, sizes.length - 1));
  sizes[place].checked = true;
  sessionStorage.setItem(ZOOM, sizes[place].value);
}

for (const radio of sizes) {
  radio.addEventListener("change", () => sessionStorage.setItem(ZOOM, radio.value));
  radio.addEventListener("click", (event) => {
    if (event.detail) radio.blur(); // a hand on the mouse: the arrows go on to turn the cells
  });
  if (radio.value === sessionStorage.getItem(ZOOM)) radio.checked = true;
}

// ── The finding ─────────────────────────────────────────────────────────────────────────────────

function follow(act) {
  const link = document.querySelector(`[data-cell-nav] a[data-act="${act}"]`);
  if (link) link.click();
  else announce(act === "n" ? "Every other cell has a finding." : "There is no further cell.");
}

const ACTS = {
  ArrowLeft: () => follow("ArrowLeft"),
  ArrowRight: () => follow("ArrowRight"),
  Escape: () => follow("Escape"),
  "+": () => size(1),
  "=": () => size(1),
  "-": () => size(-1),
  0: () => size(0),
};
if (toggleActivation) ACTS.h = toggleActivation;

function decideHere(cell) {
  const { cell: image, model, finding: id, class: cell_class, exclusion, place } = cell.dataset;
  const standing = new Map(id ? [[image, { id, cell_class, exclusion }]] : []);
  const findings = findingsOf(standing, show, progress);
  const displays = displaysOf("displayed" in cell.dataset ? [image] : [], () => {}, showDisplayed);
  new Sight((seen) => displays.add(seen)).watch(document.querySelector("[data-picture] img"), image);

  function show() {
    const finding = findings.of(image);
    const text = showFinding(cell.querySelector("[data-standing]"), finding, model);
    for (const button of document.querySelectorAll("[data-give]")) {
      button.setAttribute("aria-pressed", String(button.dataset.give === finding.cell_class));
    }
    showOwnClass(finding.cell_class);
    return text;
  }

  function showOwnClass(own) {
    const card = document.querySelector("[data-own-class]");
    const name = card.querySelector("[data-own-class-name]");
    card.hidden = !own || own === model;
    if (card.hidden || name.textContent === own) return;
    name.textContent = own;
    const { summary } = document.querySelector(`[data-give="${own}"]`).dataset;
    globalThis.htmx?.ajax("GET", summary, { target: "[data-own-class-summary]" });
  }

  /* The counts come from the server here: the page knows one cell only. */
  function progress(counts) {
    const undecided = counts.images - counts.decided - counts.excluded;
    for (const [name, count] of Object.entries({ ...counts, undecided })) {
      const shown = document.querySelector(`[data-count=${name}]`);
      if (shown) shown.textContent = count;
    }
    document.querySelector("[data-progress] progress").value = counts.decided + counts.excluded;
  }

  /* Its answer may be older than that of a finding: of the counts only its own is news. */
  function showDisplayed({ displayed }) {
    document.querySelector("[data-count=displayed]").textContent = displayed;
  }

  function decide(said) {
    findings.decide([{ image, ...said }]);
    alertReader("");
    announce(`Cell ${place}: ${show()}.`);
  }

  Object.assign(ACTS, {
    " ": () => {
      if (model) decide({ cell_class: model });
      else alertReader(whyNothingToConfirm(cell));
    },
    x: async () => {
      const reason = await askWhy(`cell ${place}`);
      if (reason) decide({ exclusion: reason });
    },
    Delete: () => decide({}),
    u: () => {
      const undone = findings.undo(image);
      if (undone) announce(`Undone. Cell ${place}: ${show()}.`);
      else announce("There is nothing to undo on this cell; in the gallery you can undo the others.");
    },
    n: () => follow("n"),
    "?": showKeys,
  });
  CLASSES.forEach((given, index) => {
    ACTS[index + 1] = () => decide({ cell_class: given });
  });

  document.querySelector("[data-decide]").addEventListener("submit", (event) => {
    event.preventDefault();
    ACTS[event.submitter.dataset.act]();
  });
  for (const hidden of document.querySelectorAll("[data-with-script]")) {
    hidden.hidden = false;
    hidden.addEventListener("click", () => ACTS[hidden.dataset.act]());
  }
  show();
}

const cell = document.querySelector("[data-bench] [data-cell]");
if (cell) decideHere(cell);

document.addEventListener("keydown", (event) => {
  const act = actOf(event);
  if (!act || !ACTS[act] || (event.shiftKey && act.startsWith("Arrow"))) return;
  if (act.startsWith("Arrow") && (event.repeat || scrollsSideways(event.target))) return;
  event.preventDefault();
  ACTS[act]();
});

function scrollsSideways(target) {
  const frame = target.closest?.(".picture-frame");
  return Boolean(frame) && frame.scrollWidth > frame.clientWidth;
}
