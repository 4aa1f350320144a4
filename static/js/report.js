/* The button that prints; a browser without scripts has its own. */

const button = document.querySelector("[data-print]");
button.hidden = false;
button.addEventListener("click", () => print());
