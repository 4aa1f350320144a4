/* The draft page: takes files, sends each on its own, and says what became of every one.

   Every count is counted anew from the files themselves, so that no number can drift from the
   truth. Only what moves or went wrong has a row; what is done is a name in a folded list. */

import { Refusal, tooLarge } from "./archive.js";
import { send } from "./api.js";
import { dropped, found } from "./gathering.js";
import { transfer } from "./transfer.js";

const AT_ONCE = 3;
const REDRAW_EVERY = 100; // milliseconds
const ANNOUNCE_EVERY = 10_000;
const WAITING = "waiting";
const MOVING = "moving";
const STORED = "stored";
const KNOWN = "known";
const REFUSED = "refused";
const FAILED = "failed"; // did not reach the server, and may be tried again
const SETTLED = new Set([STORED, KNOWN, REFUSED]);
const CLOSED = new Set([403, 404, 409]); // what holds for this file holds for all that follow
const LOGGED_OFF = 401;

const section = document.querySelector("[data-upload]");
const part = (name, inside = document) => inside.querySelector(`[data-${name}]`);
const url = section.dataset.imagesUrl;
const limits = {
  bytes: Number(section.dataset.maxBytes),
  files: Number(section.dataset.archiveMaxFiles),
  total: Number(section.dataset.archiveMaxBytes),
};
const files = []; // {path, read, state, sentence, row}
let next = 0; // the first that may still be waiting
let moving = 0;
let gathering = 0;
let redrawing = false;
let announced = 0;

/* ── Taking ─────────────────────────────────────────────────────────────────────────────────── */

async function take(sources) {
  if (!isBusy()) clear();
  gathering += 1;
  part("state", section).hidden = false;
  draw(); // at once: the case must not be submitted between the drop and the first file
  part("state", section).scrollIntoView({ block: "nearest" });
  try {
    for await (const { path, read, refusal } of found(sources, limits)) {
      const file = { path, read, state: WAITING, sentence: "", row: null };
      files.push(file);
      if (refusal) settle(file, REFUSED, refusal);
      pump();
    }
  } finally {
    gathering -= 1;
    redraw();
  }
}

/* What is taken after all is done begins a new list: its counts speak of what was just dropped. */
function clear() {
  for (const file of files) file.row?.remove();
  files.length = 0;
  next = 0;
  for (const state of [STORED, KNOWN]) part(state, section).querySelector("ul").replaceChildren();
}

function pump() {
  while (moving < AT_ONCE && next < files.length) {
    const file = files[next];
    next += 1;
    if (file.state === WAITING) carry(file);
  }
  redraw();
}

async function carry(file) {
  moving += 1;
  file.state = MOVING;
  showRow(file, part("active", section));
  say(file, "opening");
  try {
    const content = await file.read();
    if (content.size > limits.bytes) throw new Refusal(tooLarge(content.size, limits.bytes));
    say(file, "0 %");
    const answer = await transfer(url, content, {
      tell: (share) => {
        file.row.querySelector("progress").value = share;
        say(file, share < 1 ? `${Math.round(share * 100)} %` : "being checked");
      },
      waiting: (pause) => say(file, `no connection, tried again in ${Math.ceil(pause / 1000)} s`),
    });
    conclude(file, answer);
  } catch (error) {
    // A file that was moved or changed since it was chosen throws a DOMException when it is read.
    const known = error instanceof Refusal || error instanceof DOMException;
    settle(file, REFUSED, error instanceof Refusal ? error.message : "The browser could not read it.");
    if (!known) throw error;
  } finally {
    moving -= 1;
    pump();
  }
}

function conclude(file, { status, data, sentence }) {
  if (status >= 200 && status < 300 && data?.files?.length) {
    const [first, ...rest] = data.files;
    fulfil(file, first);
    for (const fate of rest) {
      const member = { path: `${file.path}/${fate.name}`, read: file.read, state: MOVING, row: null };
      files.splice(next, 0, member);
      next += 1;
      fulfil(member, fate);
    }
  } else if (CLOSED.has(status) || status === LOGGED_OFF) {
    settle(file, FAILED, sentence);
    for (const other of files) if (other.state === WAITING) settle(other, FAILED, sentence);
    next = files.length;
  } else {
    settle(file, status >= 400 && status < 500 ? REFUSED : FAILED, sentence || "The server gave no answer.");
  }
}

function fulfil(file, { fate, reason, image }) {
  settle(file, fate, reason);
  if (image) showImage(image);
}

function settle(file, state, sentence) {
  file.state = state;
  file.sentence = sentence;
  file.row?.remove();
  file.row = null;
  if (state === STORED || state === KNOWN) {
    const name = document.createElement("li");
    name.textContent = state === KNOWN && sentence ? `${file.path}: ${sentence}` : file.path;
    part(state, section).querySelector("ul").append(name);
  } else {
    showRow(file, part("problem-list", section));
    say(file, sentence);
  }
  redraw();
}

function tryAgain(file) {
  file.row?.remove();
  file.row = null;
  file.state = WAITING;
  next = Math.min(next, files.indexOf(file));
}

/* ── Showing ────────────────────────────────────────────────────────────────────────────────── */

function showRow(file, list) {
  const row = part("row-template", section).content.firstElementChild.cloneNode(true);
  const name = row.querySelector(".upload-name");
  name.textContent = name.title = file.path;
  const bar = row.querySelector("progress");
  bar.setAttribute("aria-label", file.path);
  if (file.state !== MOVING) bar.remove();
  if (file.state === FAILED) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = "Try again";
    button.setAttribute("aria-label", `Try ${file.path} again`);
    button.addEventListener("click", () => {
      tryAgain(file);
      pump();
    });
    row.append(button);
  }
  file.row = row;
  list.append(row);
}

function say(file, words) {
  if (file.row) file.row.querySelector(".upload-fate").textContent = words;
}

function redraw() {
  if (redrawing) return;
  redrawing = true;
  // A timer and not an animation frame: it runs in a tab that nobody looks at, too.
  setTimeout(draw, REDRAW_EVERY);
}

function counts() {
  const number = { [WAITING]: 0, [MOVING]: 0, [STORED]: 0, [KNOWN]: 0, [REFUSED]: 0, [FAILED]: 0 };
  for (const { state } of files) number[state] += 1;
  return number;
}

function isBusy() {
  return gathering > 0 || files.some(({ state }) => state === WAITING || state === MOVING);
}

function draw() {
  redrawing = false;
  const number = counts();
  const summary = inWords(number);
  part("summary", section).textContent = summary;
  announce(summary);
  const overall = part("overall", section);
  overall.max = files.length || 1;
  overall.value = files.length - number[WAITING] - number[MOVING];
  overall.hidden = !isBusy();
  part("problems", section).hidden = !(number[REFUSED] + number[FAILED]);
  part("retry-all", section).hidden = number[FAILED] < 2;
  fold(STORED, `${number[STORED]} stored`, number[STORED]);
  fold(KNOWN, `${number[KNOWN]} already in this case`, number[KNOWN]);
  drawSubmit(number);
}

function inWords(number) {
  if (!files.length) return gathering ? "Looking for files …" : "There was no file in it.";
  const done = [...SETTLED].reduce((sum, state) => sum + number[state], 0);
  const fates = [
    [number[STORED], "stored"],
    [number[KNOWN], "already in this case"],
    [number[REFUSED], "refused"],
    [number[FAILED], "not sent"],
  ].filter(([count]) => count);
  const detail = fates.length ? `: ${fates.map((words) => words.join(" ")).join(", ")}` : "";
  const looking = gathering ? " Still looking for more …" : "";
  return `${done} of ${files.length} ${files.length === 1 ? "file" : "files"} done${detail}.${looking}`;
}

function announce(summary) {
  const now = Date.now();
  if (isBusy() && now - announced < ANNOUNCE_EVERY) return;
  announced = now;
  const live = part("announce", section);
  if (live.textContent !== summary) live.textContent = summary;
}

function fold(state, words, count) {
  const details = part(state, section);
  details.hidden = !count;
  details.querySelector("summary").textContent = words;
}

/* ── The images of the case, and its submission ─────────────────────────────────────────────── */

const thumbnails = part("thumbnails");

function showImage({ id, name, width, height, thumbnail, picture }) {
  if (thumbnails.querySelector(`[data-image="${CSS.escape(id)}"]`)) return;
  const tile = part("thumbnail-template").content.firstElementChild.cloneNode(true);
  tile.dataset.image = id;
  tile.querySelector("a").href = picture;
  const shown = tile.querySelector("img");
  shown.src = thumbnail;
  shown.alt = `Cell image ${name}`;
  const label = tile.querySelector(".thumbnail-name");
  label.textContent = label.title = name;
  tile.querySelector(".soft").textContent = `${width} × ${height}`;
  part("remove", tile).setAttribute("aria-label", `Remove ${name}`);
  thumbnails.append(tile);
  redraw();
}

async function remove(button) {
  const tile = button.closest("[data-image]");
  const error = part("image-error");
  button.disabled = true;
  const { ok, status, sentence } = await send("DELETE", `${url}${tile.dataset.image}/`);
  if (ok || status === 404) {
    const neighbour = tile.nextElementSibling ?? tile.previousElementSibling;
    tile.remove();
    (neighbour && part("remove", neighbour))?.focus();
    error.hidden = true;
  } else {
    button.disabled = false;
    error.textContent = sentence;
    error.hidden = false;
  }
  draw();
}

function drawSubmit(number) {
  const images = thumbnails.childElementCount;
  part("image-count").textContent = images;
  part("plural").textContent = images === 1 ? "" : "s";
  const busy = isBusy();
  part("no-images").hidden = busy || images > 0;
  part("submit").querySelector("button").disabled = busy || !images;
  let hint = "Submitting closes the draft: no image can be added or removed after it.";
  if (!images) hint = "A case needs at least one cell image before it can be submitted.";
  if (number[FAILED]) hint = `${number[FAILED]} of the files did not reach the case. ${hint}`;
  if (busy) hint = "The case can be submitted once every file has its fate.";
  part("submit-hint").textContent = hint;
}

/* ── Wiring ─────────────────────────────────────────────────────────────────────────────────── */

section.classList.add("scripted");
for (const only of section.querySelectorAll("[data-with-script]")) only.hidden = false;
for (const only of section.querySelectorAll("[data-without-script]")) only.hidden = true;

const pathOf = (file) => file.webkitRelativePath || file.name;
for (const input of section.querySelectorAll("[data-pick]")) {
  input.addEventListener("change", () => {
    const picked = [...input.files].sort((one, other) => pathOf(one).localeCompare(pathOf(other)));
    input.value = ""; // the same folder can be chosen again, which is how an upload is resumed
    take(picked);
  });
}

// The whole page takes a drop: one that misses the zone would otherwise leave the page.
const zone = part("drop", section);
const bringsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragover", (event) => {
  if (!bringsFiles(event)) return;
  event.preventDefault();
  zone.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) zone.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  zone.classList.remove("over");
  if (!bringsFiles(event)) return;
  event.preventDefault();
  take(dropped(event.dataTransfer));
});

part("retry-all", section).addEventListener("click", () => {
  for (const file of files) if (file.state === FAILED) tryAgain(file);
  pump();
});
thumbnails.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remove]");
  if (!button) return;
  event.preventDefault();
  remove(button);
});
window.addEventListener("beforeunload", (event) => {
  if (isBusy()) event.preventDefault();
});
