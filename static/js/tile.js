/* One tile of the gallery from its row: the same words as in templates/cases/_cell_tile.html. */

function span(className, ...parts) {
  const made = document.createElement("span");
  if (className) made.className = className;
  made.append(...parts);
  return made;
}

/* A class with its shape, as in _mark.html. */
function mark(name, abnormal) {
  const shape = span(abnormal ? "mark abnormal" : "mark");
  shape.setAttribute("aria-hidden", "true");
  const parts = [span("class-name", shape, name)];
  if (abnormal) parts.push(" ", span("tag", "abnormal"));
  return parts;
}

/* As in _model_said.html, briefly; nothing where the model's answer may not be seen. */
function said({ model, share, abnormal, reasons, failure }) {
  const who = span("who-said", "Model:");
  if (reasons) {
    const words = document.createElement("b");
    words.className = "needs-look";
    words.textContent = "Needs a human look";
    const parts = [span("said by-model look", who, " ", words), " ", span("look-reason", reasons[0])];
    if (reasons.length > 1) parts.push(" ", span("look-reason", "And more: open it large."));
    return parts;
  }
  if (model) return [span("said by-model", who, " ", ...mark(model, abnormal), " ", span("confidence", share))];
  return failure ? [span("said by-model failed", who, ` no answer. ${failure}`)] : [];
}

/* Its picture is asked for by who puts it into the page. */
export function tileOf(row, place, addresses) {
  const tile = document.createElement("li");
  tile.className = "cell";
  tile.dataset.cell = row.id;
  tile.dataset.place = place;
  tile.dataset.model = row.model ?? "";
  const link = document.createElement("a");
  link.id = `cell-${row.id}`;
  link.href = addresses.cell(row.id);
  link.tabIndex = -1;
  const chosen = span("cell-chosen", "Selected");
  chosen.dataset.chosen = "";
  chosen.hidden = true;
  const picture = document.createElement("img");
  Object.assign(picture, { width: 160, height: 160, decoding: "async", alt: row.name ? `Cell ${place}, ${row.name}.` : `Cell ${place}.` });
  const standing = span("");
  standing.dataset.standing = "";
  const words = said(row);
  const told = words.length ? [span("cell-said", ...words)] : [];
  link.append(span("cell-head", span("cell-place", place), chosen), picture, ...told, standing);
  tile.append(link);
  return tile;
}
