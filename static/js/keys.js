/* The page of one's keys: a key pressed in a field is what stands in it. */

const LEAVE = new Set(["Tab", "Shift", "Control", "Alt", "Meta", "Escape", "Backspace"]);
const WRITTEN = { " ": "Space", Delete: "Del", PageUp: "Page up", PageDown: "Page down" };
const ARROWS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

document.querySelector("[data-key-form]").addEventListener("keydown", (event) => {
  const field = event.target;
  if (!field.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.shiftKey && ARROWS[event.key]) {
    event.preventDefault();
    field.value = `Shift+${ARROWS[event.key]}`;
    return;
  }
  if (LEAVE.has(event.key) || /^(Arrow|Home$|End$|F\d)/.test(event.key)) return;
  event.preventDefault();
  field.value = WRITTEN[event.key] ?? (event.key.length === 1 ? event.key.toUpperCase() : event.key);
});
