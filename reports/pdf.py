"""A version of a signed report as a PDF: the same bytes for the same content, tagged, fonts in it.

What the page says comes from the signed text (`cases.signed`); what does not, the patient's
identity and whether the version is superseded, is handed in beside it.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import segno
import typst
from PIL import Image

from cases import storage
from cases.models import Report
from cases.signed import EarlierVersion, SignedCell, SignedContent, in_words
from cases.uncertainty import NEEDS_A_LOOK
from cases.wording import count, percent
from inference.labels import CellClass

TEMPLATE = Path(__file__).with_name("report.typ")
STANDARD: Final = "ua-1"  # tagged, so that it can be read aloud
PICTURE_SIDE = 480  # pixels: 30 mm on paper need no more
_LACKS = re.compile(r"the text `\"(.+?)\"` could not be displayed")
_ENDLESS = re.compile(r"\S{40,}")
_WHOLE = re.compile(r"\(?[0-9a-f]{64}\W*|https?://.*")  # digests fit, addresses are copied
_ADEQUACY = {"Specimen adequacy", "Reasons", "EC/TZ component", "Quality indicators"}
_HEADED = {"General category", "Interpretation"}  # in a box of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the patient is, from the laboratory's records: no part of what was signed."""

    name: str = ""
    birth_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Everything that a printed version says."""

    report: Report
    signed: SignedContent
    identity: Identity
    superseded_by: Report | None
    verify_at: str

    @property
    def is_identified(self) -> bool:
        """Whether it names the patient."""
        return self.identity != Identity()


def render(sheet: Sheet) -> bytes:
    """The PDF. Characters that no font has are written as their code points."""
    pictures = dict(_pictures(sheet))
    names = {
        digest: f"cell-{number}.png" if content else None
        for number, (digest, content) in enumerate(pictures.items())
    }
    said = _said(sheet, names)
    files = {names[digest] or "": content for digest, content in pictures.items() if content}
    files["qr.svg"] = _qr(sheet.verify_at)
    return _compiled(files, said)


@cache
def _template() -> bytes:
    return TEMPLATE.read_bytes()


def _compiled(files: Mapping[str, bytes], said: Mapping[str, Any]) -> bytes:
    """Compile, leaving out in each round what the last one found no glyph for."""
    lacking: set[str] = set()
    with TemporaryDirectory(prefix="cytodesk-pdf-") as place:
        folder = Path(place)
        for name, content in {TEMPLATE.name: _template(), **files}.items():
            (folder / name).write_bytes(content)
        while True:
            words = json.dumps(_printable(said, lacking), ensure_ascii=False)
            (folder / "report.json").write_text(words, encoding="utf-8")
            try:
                return typst.compile(
                    folder / TEMPLATE.name,
                    format="pdf",
                    pdf_standards=STANDARD,
                    ignore_system_fonts=True,
                )
            except typst.TypstError as error:
                found = {_script(c) for text in _LACKS.findall(str(error)) for c in text} - lacking
                if not found:
                    raise
                lacking |= found


def _script(character: str) -> str:
    """What is lacking together: a whole script by the first word of its names, else one sign."""
    name = unicodedata.name(character, "")
    return name.split(" ")[0].split("-")[0] if character.isalpha() and name else character


def _printable(said: Mapping[str, Any], lacking: set[str]) -> dict[str, Any]:
    unprintable = "Characters that the fonts lack are written as their code points, like ⟨U+6F22⟩."
    replaced = _replaced(said, lacking)
    return {**replaced, "unprintable": unprintable if lacking else None}


def _replaced(value: Any, lacking: set[str]) -> Any:  # noqa: ANN401 -- whatever JSON holds
    match value:
        case str():
            return "".join(
                f"⟨U+{ord(c):04X}⟩" if {c, _script(c)} & lacking else c for c in _breakable(value)
            )
        case list():
            return [_replaced(one, lacking) for one in value]
        case dict():
            return {key: _replaced(one, lacking) for key, one in value.items()}
    return value


def _breakable(text: str) -> str:
    """A word without an end may break anywhere, lest it run off the paper."""
    return _ENDLESS.sub(
        lambda found: found[0] if _WHOLE.fullmatch(found[0]) else "\u200b".join(found[0]), text
    )


# ── What the page says ───────────────────────────────────────────────────────────────────────────


def _said(sheet: Sheet, files: Mapping[str, str | None]) -> dict[str, Any]:
    """The words of the page, in the order in which the template sets them."""
    report, signed, newer = sheet.report, sheet.signed, sheet.superseded_by
    text = signed.text
    read = dict(signed.lines)
    return {
        "title": f"Report {text['accession_number']}, version {report.version}",
        "heading": _heading(signed),
        "kind": signed.kind.label,
        "laboratory": text["laboratory"],
        "letterhead": signed.letterhead,
        "accession": text["accession_number"],
        "patient_id": text["patient"],
        "version": report.version,
        "disclaimer": text["disclaimer"],
        "superseded": newer
        and f"Superseded by version {newer.version} of "
        f"{in_words(newer.signed_at.astimezone(signed.signature.at.tzinfo))}.",
        "across": newer and f"SUPERSEDED BY VERSION {newer.version}",
        "qr_says": "QR code: the address at which this report is verified, with its accession "
        "number and digest",
        "patient": list(_patient(sheet)),
        "identity": "Name and birth date are from the laboratory's records, not part of what "
        "was signed."
        if sheet.is_identified
        else None,
        "specimen": [
            ["Accession", text["accession_number"]],
            ["Specimen", signed.specimen],
            ["Collected", day(signed.collected_on) if signed.collected_on else "Not stated"],
            ["Received", signed.received_in_words],
        ],
        "change": list(_change(signed)),
        "adequacy": [list(line) for line in signed.lines if line[0] in _ADEQUACY],
        "category": read.get("General category", ""),
        "interpretation": read.get("Interpretation", "").replace("; ", "\n") or None,
        "result": [
            *(list(line) for line in signed.lines if line[0] not in _HEADED | _ADEQUACY),
            *([f"Addendum, version {n}", words] for n, words in signed.addenda),
        ],
        "pictures": [
            {
                "file": files[cell.digest],
                "finding": cell.finding or f"Excluded: {cell.exclusion}",
                "model": _model(cell),
                "amended": cell.amended
                and f"Amended in version {cell.amended.version}, before: {cell.amended.before}",
                "says": f"A cell found {cell.finding or 'excluded'}",
                "missing": f"The picture {cell.digest[:12]} is missing or was changed.",
            }
            for cell in signed.pictures
        ],
        "cells": _cells(signed),
        "assisted": signed.assisted,
        "earlier": [
            {
                "title": f"Version {earlier.version}, {earlier.kind.label.lower()}:",
                "says": _earlier(earlier),
            }
            for earlier in signed.earlier
        ],
        "signature": {
            "name": signed.signature.name,
            "role": signed.signature.role,
            "when": signed.signature.in_words,
            "meaning": signed.signature.meaning,
        },
        "digest": report.digest,
        "verify": f"Verify this report at {sheet.verify_at.partition('?')[0]} or by the QR code.",
    }


def day(of: date) -> str:
    return f"{of.day} {of:%B %Y}"


def _heading(signed: SignedContent) -> str:
    changed = f": {signed.kind.label.lower()}" if signed.change else ""
    return f"Cervical cytology report{changed}"


def _patient(sheet: Sheet) -> Iterator[list[str]]:
    yield ["Patient id", sheet.signed.text["patient"]]
    if sheet.identity.name:
        yield ["Name", sheet.identity.name]
    if sheet.identity.birth_date:
        yield ["Born", day(sheet.identity.birth_date)]


def _change(signed: SignedContent) -> Iterator[list[str]]:
    """Why this version was issued, and for an amendment what the result was before it."""
    change = signed.change
    if change is None:
        return
    yield ["In place of", f"Version {change.supersedes}"]
    yield ["Reason", change.reason]
    yield from ([f"{heading}, before", words] for heading, words in signed.amended_lines)
    if signed.amended_here:
        each = (
            f"Cell {cell.digest[:12]}: {cell.said}, before: {how.before}"
            for cell, how in signed.amended_here
        )
        yield ["Cells amended", "\n".join(each)]
    yield ["Affects care", "Yes" if change.affects_care else "No"]
    if change.notified:
        at = signed.notified_in_words
        yield ["Notified", f"{change.notified}, {at}" if at else change.notified]


def _earlier(version: EarlierVersion) -> str:
    """What an earlier version said, in a few lines."""
    read = dict(version.lines)
    parts = [
        f"{version.signature.name}, {version.signature.role}, {version.signature.in_words}.",
        read.get("Interpretation") or read.get("Specimen adequacy", ""),
        version.reason and f"Reason: {version.reason}",
        f"SHA-256 {version.digest}",
    ]
    return "\n".join(part for part in parts if part)


def _cells(signed: SignedContent) -> str:
    """How many cells of which class, and whose findings they are."""
    found = Counter(cell.finding or "excluded" for cell in signed.cells)
    kinds = [*(cell_class.value for cell_class in CellClass), "excluded"]
    each = ", ".join(f"{found[kind]} {kind}" for kind in kinds if found[kind])
    reader = signed.text["cells_read_by"]["name"]
    whole = count(len(signed.cells), "cell image")
    earlier = "".join(
        f" {_READ[read['kind']]} by {read['reader']}"
        f"{', superseded by another screening' if read['superseded_at'] else ''}."
        for read in signed.text["reads"][:-1]
    )
    amended = _amended(signed) if signed.amended_cells else ""
    whose = f"The findings are those of {reader}{amended}."
    return f"{whole}{f': {each}' if each else ''}. {whose}{earlier}"


def _amended(signed: SignedContent) -> str:
    """Whose findings are not those of who signed first, as a part of that sentence."""
    by = Counter((how.version, how.by) for _, how in signed.amended_cells)
    parts = (
        f"{count(many, 'cell')} amended by {name} in version {version}"
        for (version, name), many in sorted(by.items())
    )
    return f", {' and '.join(parts)}"


_READ = {
    "screening": "Screened",
    "rescreen": "Rescreened",
    "review": "Reviewed",
    "adjudication": "Adjudicated",
}


def _model(cell: SignedCell) -> str:
    if cell.model is None:
        return "Model: no answer"
    if cell.model["abstained"]:
        return f"Model: {NEEDS_A_LOOK.lower()}"
    return f"Model: {cell.model['cell_class']}, {percent(cell.confidence)}"


# ── Pictures ─────────────────────────────────────────────────────────────────────────────────────


def _pictures(sheet: Sheet) -> Iterator[tuple[str, bytes | None]]:
    """The chosen pictures by digest; None for one that is gone or no longer what was stored."""
    for cell in sheet.signed.pictures:
        try:
            content = storage.open_image(sheet.report.case.laboratory_id, cell.digest)
        except (storage.MissingImage, storage.DamagedImage):
            yield cell.digest, None
        else:
            yield cell.digest, _small(content)


def _small(content: bytes) -> bytes:
    with Image.open(BytesIO(content)) as picture:
        if max(picture.size) <= PICTURE_SIDE:
            return content
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        file = BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()


def _qr(address: str) -> bytes:
    file = BytesIO()
    segno.make(address, error="m", micro=False).save(file, kind="svg", border=2, xmldecl=False)
    return file.getvalue()
