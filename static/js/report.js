/* The button that prints, where a browser without scripts has its own, and the key to the next case. */

import { actOf } from "./keymap.js";

const button = document.querySelector("[data-print]");
const next = document.querySelector("[data-next-case]");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
document.addEventListener("keydown", (event) => {
  if (!next || actOf(event) !== "next") return;
  event.preventDefault();
  next.click();
});
