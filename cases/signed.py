"""A signed report as its text says it; only the pictures beside the cells come from elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cases import bethesda
from cases.models import Case, CellImage, Report


@dataclass(frozen=True, slots=True)
class SignedCell:
    """What the report says of a cell; the image is None where the case has none of that digest."""

    image: CellImage | None
    digest: str
    finding: str
    exclusion: str
    model: Mapping[str, Any] | None

    @property
    def confidence(self) -> float:
        return max(self.model["probabilities"]) if self.model else 0


@dataclass(frozen=True, slots=True)
class SignedContent:
    """The text of a report, read."""

    text: Mapping[str, Any]
    specimen: str
    collected_on: date | None
    lines: Sequence[tuple[str, str]]
    cells: Sequence[SignedCell]
    signed_at: datetime

    @property
    def model_versions(self) -> list[tuple[str, str]]:
        """Name and digest of each model version that the reader saw."""
        seen = {(cell.model["version"], cell.model["digest"]) for cell in self.cells if cell.model}
        return sorted(seen)


def signed_content(report: Report, case: Case) -> SignedContent | None:
    """Read a report's text; None where it is no report any more, which only tampering explains."""
    try:
        return _read(
            json.loads(report.content), {image.digest: image for image in case.images.all()}
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(text: Mapping[str, Any], images: Mapping[str, CellImage]) -> SignedContent:
    return SignedContent(
        text=text,
        specimen=bethesda.SpecimenType(text["specimen_type"]).label,
        collected_on=date.fromisoformat(text["collected_on"]) if text["collected_on"] else None,
        lines=bethesda.describe(bethesda.Read.from_json(text["read"])),
        cells=[
            SignedCell(
                images.get(cell["image"]),
                cell["image"],
                cell["finding"] or "",
                cell["exclusion"] or "",
                cell["model"],
            )
            for cell in text["cells"]
        ],
        signed_at=datetime.fromisoformat(text["signature"]["signed_at"]),
    )
