/* Signing: only the questions that fit the adequacy are asked, and counted. What was chosen elsewhere is kept
   but not sent; without this script every question is there, and the server says what does not fit. */

const form = document.querySelector("[data-sign-form]");
const parts = [...form.querySelectorAll("[data-when]")];

function ask() {
  const adequacy = form.querySelector("[name=adequacy]:checked")?.value;
  for (const part of parts) {
    const fits = part.dataset.when.split(" ").includes(adequacy);
    part.hidden = !fits;
    part.disabled = !fits;
  }
  const questions = [...form.querySelectorAll("[data-number]")].filter((one) => !one.closest("[hidden]"));
  questions.forEach((number, before) => {
    number.textContent = `${before + 1} · `;
  });
}

form.addEventListener("change", (event) => {
  if (event.target.name === "adequacy") ask();
});
form.addEventListener("submit", (event) => {
  // The second of two would do no harm, but wait for the first, and take a code that is used by then.
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "true";
});
addEventListener("pageshow", () => {
  delete form.dataset.sent;
  ask(); // the browser may have put choices back
});

/* The choice of pictures is one stop of Tab: arrows go through it, Space chooses. */
function choosePictures(part) {
  const boxes = [...part.querySelectorAll("[name=pictures]")];
  const most = Number(part.dataset.most);
  const rove = (current) => {
    for (const box of boxes) box.tabIndex = box === current ? 0 : -1;
  };
  const count = () => {
    const chosen = boxes.filter(({ checked }) => checked).length;
    part.querySelector("[data-pictures-count]").textContent = chosen;
    part.querySelector("[data-pictures-full]").hidden = chosen < most;
    return chosen;
  };
  rove(boxes[0]);
  part.addEventListener("focusin", ({ target }) => {
    if (boxes.includes(target)) rove(target);
  });
  part.addEventListener("keydown", (event) => {
    const at = boxes.indexOf(event.target);
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -at, End: boxes.length - 1 - at }[event.key];
    if (at === -1 || step === undefined) return;
    event.preventDefault();
    boxes[at + step]?.focus();
  });
  part.addEventListener("change", ({ target }) => {
    if (count() > most) target.checked = false;
    count();
  });
  addEventListener("pageshow", count);
}

ask();
const pictures = form.querySelector("[data-pictures]");
if (pictures) choosePictures(pictures);
const first = document.querySelector("[data-refusal]") ?? form.querySelector("[name=adequacy]");
first.focus();
