/* Draws Plotly figures that the page carries as JSON.

   <div class="chart" data-chart="ID" aria-hidden="true"></div> {{ figure|json_script:"ID" }}

   A colour in a figure may be a token of the design, such as "var(--accent)"; figures are drawn
   again when light turns to dark. Include "_charts.html" after the page's other scripts: this
   module has to run before Plotly, because the content security policy allows no style elements.
   Plotly looks for its own by these ids, and leaves out what is there; see charts.css. */

const PLOTLY_STYLE = "plotly.js-style-global";
const MAP_STYLE = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";

for (const id of [PLOTLY_STYLE, MAP_STYLE]) {
  const mark = document.createElement("meta");
  mark.id = id;
  mark.className = "no-inline-styles";
  document.head.append(mark);
}

/* The colour that a token has now, as Plotly understands it. */
function resolver() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const known = new Map();
  const resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolve(part)]));
    }
    if (typeof value !== "string" || !value.startsWith("var(--")) return value;
    if (!known.has(value)) {
      probe.style.color = value;
      known.set(value, getComputedStyle(probe).color);
    }
    return known.get(value);
  };
  return { resolve, done: () => probe.remove() };
}

function frame(layout) {
  const axis = { gridcolor: "var(--line)", zerolinecolor: "var(--line-strong)", automargin: true };
  const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key));
  const framed = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 8, r: 8, t: 8, b: 8 },
    dragmode: false,
    ...layout,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "var(--ink)", ...layout.font },
  };
  for (const key of new Set(["xaxis", "yaxis", ...axes])) framed[key] = { ...axis, ...layout[key] };
  return framed;
}

export function drawCharts(within = document) {
  const { resolve, done } = resolver();
  for (const place of within.querySelectorAll("[data-chart]")) {
    const { data, layout = {} } = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    globalThis.Plotly.react(place, resolve(data), resolve(frame(layout)), {
      displayModeBar: false,
      responsive: true,
    });
  }
  done();
}

function begin() {
  if (!globalThis.Plotly) return; // not loaded: the table beside each chart says the same
  drawCharts();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts());
}

if (document.readyState === "complete") begin();
else document.addEventListener("DOMContentLoaded", begin);
