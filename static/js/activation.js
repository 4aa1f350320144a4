/* Where a picture spoke for a class: the stored map of a few places, laid over the cell.

   Off until it is asked for. Full colour is the strongest place among the case's cells, so that a
   faint map looks faint; what spoke against a class is left clear. */

import { colourOf, enlarge, peakOf } from "./heat.js";

const OPACITY = "activation-opacity"; // remembered from cell to cell in this tab
const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
const FULL = 255;
const SIDE = 320; // pixels of the canvas; it is stretched over the picture

export class Activation {
  /* `cover(canvas)` lays a canvas over the picture, or takes it away with null. */
  constructor(panel, cover) {
    this.panel = panel;
    this.cover = cover;
    this.known = null;
    this.shown = false;
    this.radios = [...panel.querySelectorAll("[name=heat-class]")];
    this.slider = this.within("opacity");
    this.canvas = document.createElement("canvas");
    Object.assign(this.canvas, { width: SIDE, height: SIDE, className: "heat-map" });
    this.canvas.dataset.heatMap = "";
    this.canvas.setAttribute("aria-hidden", "true");
    this.slider.value = sessionStorage.getItem(OPACITY) ?? this.slider.value;
    this.fade();
    this.slider.addEventListener("input", () => {
      this.fade();
      sessionStorage.setItem(OPACITY, this.slider.value);
    });
    for (const radio of this.radios) {
      radio.addEventListener("change", () => this.draw());
      radio.addEventListener("click", (event) => {
        if (event.detail) radio.blur(); // a hand on the mouse: the arrows go on to turn the cells
      });
    }
    drawLegend(this.within("legend"));
  }

  within(name) {
    return this.panel.querySelector(`[data-heat-${name}]`);
  }

  /* The maps of another cell: {maps, strongest}, or null where none were kept or may be seen. */
  know(known, likeliest) {
    this.known = known;
    this.panel.hidden = !known;
    if (known) for (const radio of this.radios) radio.checked = radio.value === likeliest;
    this.refresh();
  }

  toggle() {
    this.shown = !this.shown;
    this.refresh();
  }

  refresh() {
    const shows = this.shown && Boolean(this.known);
    for (const part of this.panel.querySelectorAll("[data-heat-controls]")) part.hidden = !shows;
    this.within("toggle").setAttribute("aria-pressed", String(shows));
    if (shows) this.draw();
    this.cover(shows ? this.canvas : null);
  }

  draw() {
    const chosen = this.radios.find(({ checked }) => checked)?.value;
    if (!this.known || !chosen) return;
    const { maps, strongest } = this.known;
    const context = this.canvas.getContext("2d");
    const picture = context.createImageData(SIDE, SIDE);
    enlarge(maps[chosen], SIDE, SIDE).forEach((value, index) => {
      picture.data.set(colourOf(strongest > 0 ? value / strongest : 0), index * 4);
    });
    context.putImageData(picture, 0, 0);
    this.within("words").textContent = words(maps[chosen], chosen, strongest);
  }

  fade() {
    this.canvas.style.opacity = this.slider.value / 100;
  }
}

function words(map, chosen, strongest) {
  const { row, column, value } = peakOf(map);
  if (value <= 0 || strongest <= 0) return `Nothing in this picture spoke for ${chosen}.`;
  const share = Math.max(1, Math.round((100 * value) / strongest));
  return `For ${chosen} the strongest place is in the ${ORDINALS[row]} row from the top, ${ORDINALS[column]} from the left: ${share} % of the strongest among the cells of this case.`;
}

function drawLegend(canvas) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    const [red, green, blue, alpha] = colourOf(x / (canvas.width - 1));
    context.fillStyle = `rgb(${red} ${green} ${blue} / ${alpha / FULL})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}
