/* Signing: only the questions that fit the adequacy are asked. What was chosen elsewhere is kept
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
}

form.addEventListener("change", (event) => {
  if (event.target.name === "adequacy") ask();
});
form.addEventListener("submit", (event) => {
  // Signing twice does no harm, but its refusal would hide the report.
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "true";
});
addEventListener("pageshow", () => {
  delete form.dataset.sent;
  ask(); // the browser may have put choices back
});

ask();
const first = document.querySelector("[data-refusal]") ?? form.querySelector("[name=adequacy]");
first.focus();
