"""A signed report as its text says it; only the pictures beside the cells come from elsewhere."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cases import bethesda
from cases.models import Case, CellImage, Report
from cases.wording import became

Lines = Sequence[tuple[str, str]]  # headings, each with its text


@dataclass(frozen=True, slots=True)
class AmendedCell:
    """That a finding was changed after the release: since which version, by whom, from what."""

    version: int
    by: str
    before: str


@dataclass(frozen=True, slots=True)
class SignedCell:
    """What the report says of a cell; the image is None where the case has none of that digest."""

    image: CellImage | None
    digest: str
    finding: str
    exclusion: str
    model: Mapping[str, Any] | None
    before: str | None = None  # the finding before the model's answer was shown, of a blind read
    amended: AmendedCell | None = None

    @property
    def said(self) -> str:
        return self.finding or f"excluded: {self.exclusion}"

    @property
    def confidence(self) -> float:
        return max(self.model["probabilities"]) if self.model else 0


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A signature as it was printed: name, role, moment in the laboratory's zone, meaning (R16)."""

    name: str
    role: str
    at: datetime
    meaning: str

    @property
    def in_words(self) -> str:
        return in_words(self.at)


@dataclass(frozen=True, slots=True)
class SignedChange:
    """Why the report was changed after its release, and who was told (R12)."""

    supersedes: int
    supersedes_digest: str
    reason: str
    affects_care: bool
    notified: str
    notified_at: datetime | None


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """What the report repeats of a version that it takes the place of."""

    version: int
    kind: Report.Kind
    digest: str
    reason: str
    addendum: str
    lines: Lines
    signature: SignedBy


@dataclass(frozen=True, slots=True)
class SignedRead:
    """One of the reads that led to the report, as committed and as stood by in the end (R22)."""

    kind: str
    reader: str
    order: str
    committed: str
    final: str
    change_reason: str
    why: str


@dataclass(frozen=True, slots=True)
class SignedContent:
    """The text of a report, read."""

    text: Mapping[str, Any]
    kind: Report.Kind
    specimen: str
    collected_on: date | None
    received_at: datetime
    read: bethesda.Read
    lines: Lines
    addenda: Sequence[tuple[int, str]]
    reads: Sequence[SignedRead]
    cells: Sequence[SignedCell]
    pictures: Sequence[SignedCell]
    signature: SignedBy
    change: SignedChange | None
    earlier: Sequence[EarlierVersion]

    @property
    def was_read_blind(self) -> bool:
        """Whether the findings were made before the model's answers were shown."""
        return any(cell.before is not None for cell in self.cells)

    @property
    def received_in_words(self) -> str:
        return in_words(self.received_at)

    @property
    def notified_in_words(self) -> str:
        at = self.change and self.change.notified_at
        return in_words(at) if at else ""

    @property
    def letterhead(self) -> list[str]:
        return [line.strip() for line in self.text["letterhead"].splitlines() if line.strip()]

    @property
    def previous(self) -> EarlierVersion | None:
        return self.earlier[-1] if self.earlier else None

    @property
    def amended_lines(self) -> Lines:
        """What an amended report said of its result before, where that differs."""
        if self.kind != Report.Kind.AMENDMENT or self.previous is None:
            return []
        return [line for line in self.previous.lines if line not in self.lines]

    @property
    def amended_cells(self) -> list[tuple[SignedCell, AmendedCell]]:
        """The cells whose findings are not those of who signed the first version."""
        return [(cell, cell.amended) for cell in self.cells if cell.amended]

    @property
    def amended_here(self) -> list[tuple[SignedCell, AmendedCell]]:
        """Those whose findings this very version changed."""
        version = self.text["report_version"]
        return [(cell, how) for cell, how in self.amended_cells if how.version == version]

    @property
    def model_versions(self) -> list[tuple[str, str]]:
        """Name and digest of each model version that the reader saw."""
        seen = {(cell.model["version"], cell.model["digest"]) for cell in self.cells if cell.model}
        return sorted(seen)

    @property
    def assisted(self) -> str:
        """The computer-assisted statement: which model, by name and digest, and when it spoke."""
        models = " and ".join(f"{name} (SHA-256 {digest})" for name, digest in self.model_versions)
        if not models:
            return ""
        is_blind = any(read["order"] == "blind" for read in self.text["reads"][-1:])
        shown = (
            f"the reader committed a read of their own, and was then shown the answers of {models}"
            if is_blind
            else f"each cell was shown to the reader with the answer of the model {models}"
        )
        return (
            f"Computer-assisted: {shown}. The model gives no diagnosis, and no finding is its own."
        )


def in_words(at: datetime) -> str:
    """A moment with its zone, like 3 May 2026, 14:05:09 CEST (UTC+0200)."""
    return f"{at.day} {at:%B %Y, %H:%M:%S %Z (UTC%z)}"


def signed_content(report: Report, case: Case) -> SignedContent | None:
    """Read a report's text; None where it is no report any more, which only tampering explains."""
    try:
        return _read(
            json.loads(report.content), {image.digest: image for image in case.images.all()}
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(text: Mapping[str, Any], images: Mapping[str, CellImage]) -> SignedContent:
    zone = ZoneInfo(text["time_zone"])
    cells = [
        SignedCell(
            images.get(cell["image"]),
            cell["image"],
            cell["finding"] or "",
            cell["exclusion"] or "",
            cell["model"],
            cell["before_the_model"],
            _amended(cell["amended"]),
        )
        for cell in text["cells"]
    ]
    by_digest = {cell.digest: cell for cell in cells}
    read = bethesda.Read.from_json(text["read"])
    return SignedContent(
        text=text,
        kind=Report.Kind(text["kind"]),
        specimen=bethesda.SpecimenType(text["specimen_type"]).label,
        collected_on=date.fromisoformat(text["collected_on"]) if text["collected_on"] else None,
        received_at=_moment(text["received_at"], zone),
        read=read,
        lines=bethesda.describe(read),
        addenda=list(_addenda(text)),
        reads=[_signed_read(one) for one in text["reads"]],
        cells=cells,
        pictures=[by_digest[digest] for digest in text["pictures"]],
        signature=_signature(text["signature"], zone),
        change=_change(text["change"], zone) if text["change"] else None,
        earlier=[_earlier(version, zone) for version in text["earlier"]],
    )


def _amended(said: Mapping[str, Any] | None) -> AmendedCell | None:
    return AmendedCell(said["version"], said["by"]["name"], said["before"]) if said else None


def _signed_read(said: Mapping[str, Any]) -> SignedRead:
    return SignedRead(
        kind=said["kind"].capitalize(),
        reader=said["reader"],
        order=said["order"],
        committed=bethesda.in_codes(said["committed"]),
        final=bethesda.in_codes(said["final"]),
        change_reason=said["change_reason"] or "",
        why=became(said["why"] or "", is_superseded=said["superseded_at"] is not None),
    )


def _addenda(text: Mapping[str, Any]) -> Iterable[tuple[int, str]]:
    """Everything that was added so far, each with the version that added it."""
    for version in (*text["earlier"], {**text, "version": text["report_version"]}):
        if version["addendum"]:
            yield version["version"], version["addendum"]


def _earlier(version: Mapping[str, Any], zone: ZoneInfo) -> EarlierVersion:
    return EarlierVersion(
        version=version["version"],
        kind=Report.Kind(version["kind"]),
        digest=version["digest"],
        reason=version["reason"] or "",
        addendum=version["addendum"],
        lines=bethesda.describe(bethesda.Read.from_json(version["read"])),
        signature=_signature(version["signature"], zone),
    )


def _change(change: Mapping[str, Any], zone: ZoneInfo) -> SignedChange:
    at = change["notified_at"]
    return SignedChange(
        supersedes=change["supersedes"],
        supersedes_digest=change["supersedes_digest"],
        reason=change["reason"],
        affects_care=change["affects_care"],
        notified=change["notified"] or "",
        notified_at=_moment(at, zone) if at else None,
    )


def _signature(signature: Mapping[str, Any], zone: ZoneInfo) -> SignedBy:
    return SignedBy(
        name=signature["name"],
        role=signature["role"],
        at=_moment(signature["signed_at"], zone),
        meaning=signature["meaning"],
    )


def _moment(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).astimezone(zone)
