/* Where a picture spoke for a class: the stored map of a few places, laid over the cell.

   Off until it is asked for. Full colour is the strongest place among the case's cells, so that a
   faint map looks faint; what spoke against a class is left clear. */

import { colourOf, enlarge, peakOf } from "./heat.js";

const OPACITY = "activation-opacity"; // remembered from cell to cell in this tab
const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"];
const FULL = 255;

const panel = document.querySelector("[data-heat]");
const stored = document.getElementById("activation-maps");
const within = (name) => panel.querySelector(`[data-heat-${name}]`);

/* Show the map, or hide it again; says nothing where the page has none. */
export let toggle = null;

function start() {
  const { maps, strongest } = JSON.parse(stored.textContent);
  const canvas = document.querySelector("[data-heat-map]");
  const slider = within("opacity");
  const button = within("toggle");
  const radios = [...panel.querySelectorAll("[name=heat-class]")];
  const chosen = () => radios.find(({ checked }) => checked).value;

  function draw() {
    const map = maps[chosen()];
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    const picture = context.createImageData(width, height);
    const values = enlarge(map, width, height);
    values.forEach((value, index) => {
      picture.data.set(colourOf(strongest > 0 ? value / strongest : 0), index * 4);
    });
    context.putImageData(picture, 0, 0);
    within("words").textContent = words(map);
  }

  function words(map) {
    const { row, column, value } = peakOf(map);
    if (value <= 0 || strongest <= 0) return `Nothing in this picture spoke for ${chosen()}.`;
    const share = Math.max(1, Math.round((100 * value) / strongest));
    return `For ${chosen()} the strongest place is in the ${ORDINALS[row]} row from the top, ${ORDINALS[column]} from the left: ${share} % of the strongest among the cells of this case.`;
  }

  function fade() {
    canvas.style.opacity = slider.value / 100;
  }

  toggle = () => {
    const shows = canvas.hidden;
    canvas.hidden = !shows;
    for (const part of panel.querySelectorAll("[data-heat-controls]")) part.hidden = !shows;
    button.setAttribute("aria-pressed", String(shows));
    if (shows) draw();
  };

  const kept = Number(sessionStorage.getItem(OPACITY));
  if (kept) slider.value = kept;
  fade();
  slider.addEventListener("input", () => {
    fade();
    sessionStorage.setItem(OPACITY, slider.value);
  });
  for (const radio of radios) {
    radio.addEventListener("change", draw);
    radio.addEventListener("click", (event) => {
      if (event.detail) radio.blur(); // a hand on the mouse: the arrows go on to turn the cells
    });
  }
  button.addEventListener("click", () => toggle());
  drawLegend(within("legend"));
  panel.hidden = false;
}

function drawLegend(canvas) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    const [red, green, blue, alpha] = colourOf(x / (canvas.width - 1));
    context.fillStyle = `rgb(${red} ${green} ${blue} / ${alpha / FULL})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
}

if (panel && stored) start();
