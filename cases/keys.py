"""The keys of the gallery: which acts there are, and which key each reader has given them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from inference.labels import CellClass

_CLASSES = {
    f"class-{number}": (
        f"{cell_class} (abnormal)" if cell_class.is_abnormal else cell_class.value,
        str(number),
    )
    for number, cell_class in enumerate(CellClass, start=1)
}
# name: what it does, and the key it has unless a reader chose another
ACTS: Mapping[str, tuple[str, str]] = _CLASSES | {
    "confirm": ("Confirm the class of the model as your own finding", "Space"),
    "exclude": ("Exclude, with a reason", "x"),
    "withdraw": ("Take the finding back", "Delete"),
    "undo": ("Undo, as often as you like", "u"),
    "next": ("The next cell that needs a look", "n"),
    "large": ("Open the cell large", "Enter"),
    "heat": ("Show or hide where the picture spoke for a class", "h"),
    "larger": ("Zoom in", "+"),
    "smaller": ("Zoom out", "-"),
    "fit": ("Fit the picture into its frame", "0"),
    "pan-left": ("Large: look further left", "Shift+Left"),
    "pan-right": ("Large: look further right", "Shift+Right"),
    "pan-up": ("Large: look further up", "Shift+Up"),
    "pan-down": ("Large: look further down", "Shift+Down"),
    "sign": ("Go on to sign", "s"),
    "sheet": ("Show the keys", "?"),
}
NAMED = ("Space", "Enter", "Delete", "Insert", "PageUp", "PageDown")
# Among tiles they select, so that only what moves a large picture can have them.
SHIFTED = ("Shift+Left", "Shift+Right", "Shift+Up", "Shift+Down")


@dataclass(frozen=True, slots=True)
class Act:
    """An act of the gallery with the key that a reader has for it."""

    name: str
    label: str
    key: str


def acts(chosen: Mapping[str, str]) -> list[Act]:
    """Every act with its key; what was not chosen has the key that everybody begins with."""
    return [Act(name, label, key_of(name, chosen)) for name, (label, _) in ACTS.items()]


def key_of(name: str, chosen: Mapping[str, str]) -> str:
    """The key that a reader has for one act."""
    return chosen.get(name, ACTS[name][1])


_WRITTEN = {"Delete": "Del", "PageUp": "Page up", "PageDown": "Page down"} | dict(
    zip(SHIFTED, ("Shift+←", "Shift+→", "Shift+↑", "Shift+↓"), strict=True)
)
_READ = {"ins": "Insert"} | {word.lower(): key for key, word in _WRITTEN.items()}


def normal(typed: str) -> str:
    """A key as it is stored: letters small, words as in `NAMED`; unusable ones as they are."""
    if typed == " ":
        return "Space"
    typed = typed.strip()
    words = {name.lower(): name for name in (*NAMED, *SHIFTED)} | _READ
    return words.get(typed.lower(), typed.lower() if len(typed) == 1 else typed)


def problems(keys: Mapping[str, str]) -> dict[str, str]:
    """By act, why its key cannot be: it is none, or another act has it too."""
    holders = defaultdict(list)
    for name, key in keys.items():
        holders[key].append(name)
    found = {}
    for name, key in keys.items():
        if sentence := _unusable(name, key):
            found[name] = sentence
        elif len(holders[key]) > 1:
            others = " and ".join(f"“{ACTS[one][0]}”" for one in holders[key] if one != name)
            found[name] = f"{others} has the key {shown(key)} too."
    return found


def _unusable(name: str, key: str) -> str:
    """Why an act cannot have this key, whoever else has it; nothing where it can."""
    if not key:
        return "Every act needs a key."
    if key in SHIFTED:
        moves = name.startswith("pan-")
        return "" if moves else "Shift with an arrow selects cells, or moves a large picture."
    if key not in NAMED and (len(key) != 1 or not key.isprintable()):
        return f"{key} is no key to choose: one character, or {', '.join(NAMED)}."
    return ""


def differing(keys: Mapping[str, str]) -> dict[str, str]:
    """Only what a reader has changed: who changed nothing follows the defaults."""
    return {name: key for name, key in keys.items() if key != ACTS[name][1]}


def shown(key: str) -> str:
    """A key as it stands on a keyboard."""
    return _WRITTEN.get(key, key.upper() if len(key) == 1 else key)
