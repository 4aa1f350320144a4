/* Which key asks for which act, by the reader's own keymap, where a page carries one. */

const keymap = JSON.parse(document.getElementById("keymap")?.textContent ?? "{}");
const PAN = "pan-"; // acts that go on while their key is held

/* The act that a key asks for, the name of a key that moves, or "". A held key only moves: a
   finger that rests decides nothing. */
export function actOf(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey || document.querySelector("dialog[open]")) return "";
  const control = event.ctrlKey || event.metaKey;
  const { key } = event;
  if (event.target.closest?.("input:not([type=radio], [type=checkbox], [type=range]), textarea, select")) return "";
  if (event.target.closest?.("[type=radio], [type=range]") && /^(Arrow|Home$|End$)/.test(key)) return "";
  if (control) {
    const chord = { z: "undo", a: "all" }[key.toLowerCase()] ?? "";
    return event.shiftKey || event.repeat ? "" : chord;
  }
  if (/^(Arrow|Home$|End$)/.test(key)) return key;
  const act = keymap[nameOf(event)] ?? "";
  if (event.repeat) return act.startsWith(PAN) ? act : "";
  if (key === "Escape") return key;
  const presses = event.target.closest?.("button, a, summary, [type=checkbox], [type=radio]");
  if ((key === " " || key === "Enter") && presses && !presses.closest("[data-cell]")) return "";
  return act;
}

/* What Shift and an arrow ask for beside a large cell; among tiles they select. */
export function panOf(event) {
  return event.shiftKey ? (keymap[nameOf(event)] ?? "") : "";
}

/* A key as the keymap names it. A digit is the key that has it, whatever a layout prints with it. */
export function nameOf({ key, code, shiftKey }) {
  const digit = shiftKey ? null : /^(?:Digit|Numpad)([0-9])$/.exec(code)?.[1];
  if (digit) return digit;
  if (key === " ") return "Space";
  if (key === "Backspace") return "Delete";
  if (shiftKey && key.startsWith("Arrow")) return `Shift+${key.slice("Arrow".length)}`;
  if (key === "=" && !keymap["="]) return "+"; // the same key on most keyboards
  return key.length === 1 ? key.toLowerCase() : key;
}

/* The key of an act, as it is written on buttons. */
export function keyOf(act) {
  const key = Object.keys(keymap).find((one) => keymap[one] === act) ?? "";
  return key.length === 1 ? key.toUpperCase() : key;
}
