/* Numbers to colours, without a page: a small map made smooth, and a scale for every eye. */

/* The colours of "plasma" (Smith and van der Walt, 2015): lightness grows evenly, so that the order
   of the colours is seen by colour-blind people and in grey as well. */
const SCALE = [
  [13, 8, 135],
  [84, 2, 163],
  [139, 10, 165],
  [185, 50, 137],
  [219, 92, 104],
  [244, 136, 73],
  [254, 188, 43],
  [240, 249, 33],
];
const CLEAR_BELOW = 0.25; // shares fade in up to here: the picture stays in sight where little spoke

/* The colour of a share from 0 to 1 as red, green, blue and opacity, each up to 255. */
export function colourOf(share) {
  const inside = Math.min(Math.max(share, 0), 1);
  const place = inside * (SCALE.length - 1);
  const index = Math.min(Math.floor(place), SCALE.length - 2);
  const mixed = SCALE[index].map((from, n) => from + (SCALE[index + 1][n] - from) * (place - index));
  return [...mixed.map(Math.round), Math.round(255 * Math.min(inside / CLEAR_BELOW, 1))];
}

/* A map of few rows as height times width numbers, rows first: negative values are cut off, and
   what lies between the middles of the places is curved between them (Catmull and Rom, 1974). */
export function enlarge(map, width, height) {
  const positive = map.map((row) => row.map((value) => Math.max(value, 0)));
  const across = weights(positive[0].length, width);
  const wide = positive.map((row) => across.map((taps) => mix(taps, (at) => row[at])));
  const values = new Float64Array(width * height);
  weights(positive.length, height).forEach((taps, y) => {
    for (let x = 0; x < width; x += 1) {
      values[y * width + x] = Math.max(mix(taps, (at) => wide[at][x]), 0);
    }
  });
  return values;
}

/* For each of `many` points along a line of `few` places: which places count how much there. */
function weights(few, many) {
  return Array.from({ length: many }, (_, point) => {
    const place = ((point + 0.5) * few) / many - 0.5;
    const before = Math.floor(place);
    const t = place - before;
    const shares = [
      ((2 - t) * t - 1) * t / 2,
      ((3 * t - 5) * t * t + 2) / 2,
      ((4 - 3 * t) * t + 1) * t / 2,
      ((t - 1) * t * t) / 2,
    ];
    return shares.map((share, n) => [Math.min(Math.max(before - 1 + n, 0), few - 1), share]);
  });
}

function mix(taps, valueAt) {
  return taps.reduce((sum, [at, share]) => sum + share * valueAt(at), 0);
}

/* The largest value of a map and where it is, counted from the top and from the left. */
export function peakOf(map) {
  let peak = { row: 0, column: 0, value: -Infinity };
  map.forEach((places, row) => {
    places.forEach((value, column) => {
      if (value > peak.value) peak = { row, column, value };
    });
  });
  return peak;
}
