/* Holding a case: while its holder is active on this page, the server is told so. Who goes away is
   warned before the case goes back to the others, and told so afterwards; nothing they found is lost. */

import { send } from "./api.js";

const hold = document.querySelector("[data-hold]");
const every = Number(hold.dataset.every) * 1000;
const WARNED = 0.2; // of the time that is left after a sign of life
const ACTS = ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "touchstart"];
let isActive = true; // who opens a page is there
let isBeating = false;
let isLost = false;
let until = Infinity;
let span = Infinity;

function say(sentence, isOver = false) {
  hold.querySelector("[data-hold-words]").textContent = sentence;
  hold.querySelector("[data-hold-way]").hidden = !isOver;
  hold.querySelector("[data-hold-alert]").hidden = !sentence;
}

/* Not in the background: a person is there, so that their session does not end either. */
async function beat() {
  if (isBeating || isLost) return;
  isBeating = true;
  isActive = false;
  const answer = await send("POST", hold.dataset.heartbeatUrl, null, { retry: false });
  isBeating = false;
  if (answer.ok) {
    span = answer.data.seconds_left * 1000;
    until = Date.now() + span;
    say("");
  } else if ([403, 404, 409].includes(answer.status)) {
    isLost = true;
    say(`You no longer hold this case. ${answer.sentence}`, true);
  } else {
    isActive = true; // not heard: say it again
    if (answer.status === 401) say(answer.sentence);
  }
}

function minutes(milliseconds) {
  const whole = Math.ceil(milliseconds / 60_000);
  return whole === 1 ? "a minute" : `${whole} minutes`;
}

function look() {
  if (isLost) return;
  const left = until - Date.now();
  if (isActive) beat();
  else if (left <= 0) {
    say("You were idle for so long that this case went back to your colleagues, unless another window of yours kept it.");
  } else if (left < span * WARNED) {
    say(`You have been idle: in ${minutes(left)} this case goes back to your colleagues. Move or press a key to keep it.`);
  }
}

function act() {
  const wasWarned = !hold.querySelector("[data-hold-alert]").hidden;
  isActive = true;
  if (wasWarned && !isLost) beat();
}

for (const name of ACTS) addEventListener(name, act, { passive: true, capture: true });
addEventListener("focus", act);
addEventListener("online", look);
addEventListener("pageshow", () => beat());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look();
});
setInterval(look, every);
