/* What the gallery and the page of a cell share: the state of saving in words, the words of a
   finding, and the dialogs. */

import { Displays } from "./displays.js";
import { Findings } from "./findings.js";
import { keyOf } from "./keymap.js";

const root = document.querySelector("[data-bench]");
const within = (name) => document.querySelector(`[data-${name}]`);
const ONWARD = 10_000; // milliseconds
let leavingWithinCase = false;
let onward = { until: 0 };

/* The same words as in templates/cases/_finding.html. */
export function showFinding(place, finding, model) {
  const said = document.createElement("span");
  const who = document.createElement("span");
  who.className = "who-said";
  who.textContent = "Finding:";
  let [kind, text] = ["corrected", finding.cell_class];
  if (finding.exclusion) [kind, text] = ["excluded", `Excluded: ${finding.exclusion}`];
  else if (!finding.cell_class) [kind, text] = ["none", "none yet"];
  else if (finding.cell_class === model) [kind, text] = ["confirmed", "Confirmed"];
  else if (model) text = `Corrected to ${finding.cell_class}`;
  said.className = `finding ${kind}`;
  said.append(who, ` ${text}`);
  place.replaceChildren(said);
  return text;
}

/* Why confirming does nothing here: the model abstained, and says why, or it has no answer. */
export function whyNothingToConfirm({ reasons }, cells = 1) {
  const way = `say a class with ${keyOf("class-1")} to ${keyOf("class-5")}, or exclude with ${keyOf("exclude")}.`;
  if (within("blind")) return `You read blind, so there is no class of the model’s to confirm: ${way}`;
  if (cells > 1) return `The model stands by no class for any of these ${cells} cells: ${way}`;
  if (reasons) return `There is no class to confirm, this cell needs a human look. ${reasons.join(" ")} You decide: ${way}`;
  return `The model gave no class here: ${way}`;
}

export function announce(sentence) {
  const place = within("announce");
  if (place) place.textContent = sentence;
}

/* A lasting alert stays until it is read and closed; others give way to the next act. */
export function alertReader(sentence, { lasting = false } = {}) {
  const place = within("alert");
  if (place.dataset.alert === "lasting" && !lasting) return;
  place.dataset.alert = lasting ? "lasting" : "";
  within("alert-words").textContent = sentence;
  place.hidden = !sentence;
}

function closeAlert() {
  within("alert").dataset.alert = "";
  alertReader("");
}

function sayHowSavingGoes({ state, sentence, count }) {
  const place = within("saving");
  const way = within("saving-way");
  const many = count === 1 ? "1 finding" : `${count} findings`;
  place.dataset.saving = state;
  within("saving-words").textContent = {
    saved: "All saved",
    saving: `Saving ${count}…`,
    offline: `Not saved: no connection, trying again (${many} kept in this tab)`,
    failing: `Not saved: the server does not answer as it should, trying again (${many} kept in this tab)`,
    "logged-off": `Not saved: you are logged off (${many} kept in this tab).`,
    refused: `Not saved: ${sentence}`,
  }[state];
  way.hidden = !["logged-off", "refused"].includes(state);
  if (state === "logged-off") {
    way.textContent = "Log in again";
    way.href = `${root.dataset.login}?next=${encodeURIComponent(location.pathname)}`;
  } else if (state === "refused") {
    way.textContent = "Reload";
    way.href = location.pathname;
  }
}

/* A reader who asked to sign while the last findings were on their way does not ask twice; nor is
   somebody who has long gone on with something else taken there. */
function goOnward() {
  const { link, until } = onward;
  onward = { until: 0 };
  if (Date.now() < until) link.click();
}

/* The findings of this page's case, tied to its line of saving. */
export function findingsOf(standing, changed, saved) {
  const { case: id, reader, findingsUrl } = root.dataset;
  const findings = new Findings({
    url: findingsUrl,
    key: `findings:${id}:${reader}`, // another person at this tab is another reader
    standing,
    changed: (images, sentence) => {
      alertReader(sentence, { lasting: true });
      changed(images);
    },
    saving: (told) => {
      sayHowSavingGoes(told);
      if (told.state === "saved") goOnward();
    },
    saved,
  });
  addEventListener("beforeunload", (event) => {
    if (findings.unsaved && !leavingWithinCase) event.preventDefault();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  addEventListener("keydown", () => (onward = { until: 0 }), { capture: true }); // another wish
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    leavingWithinCase = Boolean(link) && staysInCase(link.href, id);
    if (!link?.matches("[data-sign]")) return;
    if (findings.unsaved) {
      event.preventDefault();
      onward = { link, until: Date.now() + ONWARD };
      alertReader("Some findings are not saved yet. The page of signing opens once they are.");
    } else if (displays?.unsaved) {
      event.preventDefault();
      displays.flush().then(() => location.assign(link.href));
    }
  });
  document.addEventListener("submit", (event) => {
    leavingWithinCase ||= event.target.matches("[data-layout]"); // and comes back
    if (!event.target.matches("[data-leaves-case]") || !findings.unsaved) return;
    event.preventDefault();
    alertReader("Some findings are not saved yet. Release the case once the line says “All saved”.");
  });
  findings.resume();
  return findings;
}

let displays = null;

/* What was in sight of the reader of this page's case. */
export function displaysOf(displayed, changed, saved) {
  const { case: id, reader, displaysUrl } = root.dataset;
  displays = new Displays({ url: displaysUrl, key: `displays:${id}:${reader}`, displayed, changed, saved });
  return displays;
}

/* How much of the window's edges the bench covers. */
export function covered() {
  if (!root) return { top: 0, bottom: 0 };
  const { position, top, bottom } = getComputedStyle(root);
  const height = ["sticky", "fixed"].includes(position) ? root.offsetHeight : 0;
  return { top: top === "0px" && position === "sticky" ? height : 0, bottom: bottom === "0px" && position === "fixed" ? height : 0 };
}

/* The way back after a new log-in too: what is not saved waits in this tab. */
function staysInCase(address, id) {
  const { pathname, origin } = new URL(address, location.href);
  const inCase = new RegExp(`^/cases/${id}/(cells/[0-9a-f-]+/)?$`).test(pathname);
  return origin === location.origin && (inCase || pathname === new URL(root.dataset.login, location.href).pathname);
}

let answerWhy = () => {};

/* Ask why; resolves to the reason, or "" where the reader thinks better of it. */
export function askWhy(what) {
  const dialog = within("exclude");
  within("exclude-what").textContent = what;
  dialog.querySelector("form").reset();
  dialog.showModal();
  return new Promise((resolve) => {
    answerWhy = resolve;
  });
}

/* Answer at once: the event of closing comes late, and the next key must find the cell excluded. */
function closeWhy(reason) {
  answerWhy(reason);
  within("exclude").close();
}

export function showKeys() {
  within("keys").showModal();
}

function prepareDialogs() {
  const dialog = within("exclude");
  const form = dialog.querySelector("form");
  const other = form.elements.reason;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const reason = other.value.trim();
    if (reason) closeWhy(reason);
    else other.focus();
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.reason) closeWhy(button.dataset.reason);
    else if (button?.matches("[data-close]")) closeWhy("");
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target === other || event.ctrlKey || event.metaKey || event.altKey) return;
    const reasons = dialog.querySelectorAll("[data-reason]");
    const chosen = reasons[/^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] - 1];
    if (!chosen || event.shiftKey) return;
    event.preventDefault();
    closeWhy(chosen.dataset.reason);
  });
  dialog.addEventListener("close", () => {
    if (!dialog.open) answerWhy(""); // it may be open again, for the next cell
  });
}

if (root) {
  prepareDialogs();
  within("alert-close").addEventListener("click", closeAlert);
}
