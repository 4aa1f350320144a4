"""A case as a FHIR R4 document: what was signed for machines, or what is known so far.

The document of a released case is made of the signed text, and of nothing that came after it. What
a person reported and what the model answered are observations apart: the device of the latter is
the model version. Nothing here knows who may see what; that is handed in.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha1
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.utils.html import format_html, format_html_join

from cases import bethesda, clock, queries, signature
from cases.models import Case, Report, Review
from cases.sight import Sight
from inference.labels import CellClass

Resource = dict[str, Any]
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
BETHESDA, CELL_CLASS = "urn:cytodesk:bethesda-2014", "urn:cytodesk:cell-class"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
DIGEST = "urn:cytodesk:sha-256"
ADEQUACY, CATEGORY = "19764-0", "19762-4"
# by the kind of specimen: the report, and the microscopic observation in it
REPORTS = {"LBC": "47527-7", "CONV": "47528-5", "OTHER": "33717-0"}
OBSERVED = {"LBC": "18500-9", "CONV": "10524-7", "OTHER": "10524-7"}
AUTHORS_SIGNATURE = "1.2.840.10065.1.12.1.1"
TITLE = "Cervical cytology report"


@dataclass(frozen=True, slots=True)
class Paper:
    """The report as it is printed: a file and its name."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is told of a case, in the words of the canonical report, and what stands beside it.

    ``read`` and ``reader`` are None where nobody's result may be told. The identity is no part of
    what was signed, and ``paper`` is the signed version printed.
    """

    case: UUID
    laboratory: int
    text: Mapping[str, Any]
    read: bethesda.Read | None
    status: str
    at: datetime
    version: int = 0
    digest: str = ""
    patient_name: str = ""
    birth_date: date | None = None
    paper: Paper | None = None


def of_report(report: Report, case: Case) -> Known:
    """What a released report says. Raises `ValueError` or `KeyError` where it says nothing."""
    text = json.loads(report.content)
    return Known(
        case=case.pk,
        laboratory=case.laboratory_id,
        text=text,
        read=bethesda.Read.from_json(text["read"]),
        status=status_of([text["kind"], *(earlier["kind"] for earlier in text["earlier"])]),
        at=report.signed_at,
        version=report.version,
        digest=report.digest,
    )


def of_case(case: Case, seen: Sight) -> Known:
    """What is known of a case before its release, as far as a person may see it.

    The result so far is that of the last read that was committed and that no other was asked for
    in the place of; findings of a reader who is still at it are nobody's result.
    """
    reads = [read for read in queries.shown_reads(case, seen) if not read.superseded_at]
    read = reads[-1] if reads else None
    is_classified = case.status not in _UNCLASSIFIED
    return Known(
        case=case.pk,
        laboratory=case.laboratory_id,
        text={
            "laboratory": case.laboratory.name,
            "letterhead": case.laboratory.letterhead,
            "accession_number": case.accession_number,
            "received_at": signature.moment(case.accessioned_at),
            **signature.specimen(case),
            "cells": _known_cells(case, seen, read),
            "cells_read_by": read and {"name": read.reader.name, "user": read.reader_id},
            "signature": None,
            "change": None,
            "addendum": "",
            "earlier": [],
        },
        read=bethesda.Read.from_json(read.read or read.committed_read or {}) if read else None,
        status="preliminary" if is_classified else "registered",
        at=clock.now(),
    )


_UNCLASSIFIED = (
    Case.Status.DRAFT,
    Case.Status.QUEUED,
    Case.Status.CLASSIFYING,
    Case.Status.FAILED,
)


def _known_cells(case: Case, seen: Sight, read: Review | None) -> list[Resource]:
    """Each image with the answer and the committed finding that may be shown."""
    answers = {answer.image_id: answer for answer in queries.shown_predictions(case, seen)}
    found = {f.image_id: f for f in queries.findings_at_commit(read)} if read else {}
    return [
        {
            "image": image.digest,
            "finding": found[image.pk].cell_class if image.pk in found else "",
            "exclusion": found[image.pk].exclusion if image.pk in found else "",
            "amended": None,
            "model": signature.model_answer(answers.get(image.pk)),
        }
        for image in case.images.order_by("digest")
    ]


def status_of(kinds: Sequence[str]) -> str:
    """The narrowest status that is true of every change since the release.

    Who missed an amendment must not read of a later addendum that the result is unchanged.
    """
    changes = set(kinds) - {Report.Kind.ORIGINAL.value}
    if not changes:
        return "final"
    if changes == {Report.Kind.ADDENDUM.value}:
        return "appended"
    return "corrected" if changes == {Report.Kind.CORRECTION.value} else "amended"


def document(known: Known) -> Resource:
    """The Bundle: a composition first, then everything that it refers to."""
    return _Document(known).bundle()


@dataclass(slots=True)
class _Document:
    """A document in the making: its resources by the name under which they refer to each other."""

    known: Known
    resources: dict[str, Resource] = field(default_factory=dict)

    def bundle(self) -> Resource:
        self._people()
        self._specimen()
        results = list(self._results())
        cells = list(self._cells())
        model = list(self._model())
        self._report(results)
        if self.known.version:
            self._provenance()
        composition = self._composition(results, cells, model)
        named = {"composition": composition, **self.resources}
        return {
            "resourceType": "Bundle",
            "meta": {"tag": [_disclaimer()]},
            "identifier": _uri(self._document_id(self.known.version)),
            "type": "document",
            "timestamp": signature.moment(self.known.at),
            "entry": [
                {"fullUrl": self._url(name), "resource": {**resource, "id": str(self._id(name))}}
                for name, resource in named.items()
            ],
        }

    # ── Names ────────────────────────────────────────────────────────────────────────────────────

    def _id(self, name: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"urn:cytodesk:{self.known.case}/{self.known.version}/{name}")

    def _url(self, name: str) -> str:
        return self._id(name).urn

    def _document_id(self, version: int) -> str:
        return uuid5(NAMESPACE_URL, f"urn:cytodesk:{self.known.case}/{version}").urn

    def _add(self, name: str, resource: Resource) -> Resource:
        """Keep a resource; returns the reference to it."""
        self.resources[name] = resource
        return self._to(name)

    def _to(self, name: str) -> Resource:
        return {"reference": self._url(name), "type": self.resources[name]["resourceType"]}

    def _own(self, what: str) -> str:
        """The system of what is unique in the laboratory."""
        return f"urn:cytodesk:laboratory:{self.known.laboratory}:{what}"

    # ── Who, and of what ─────────────────────────────────────────────────────────────────────────

    def _people(self) -> None:
        text = self.known.text
        organization: Resource = {"resourceType": "Organization", "name": text["laboratory"]}
        if text["letterhead"]:
            organization["contact"] = [{"address": {"text": text["letterhead"]}}]
        self._add("laboratory", organization)
        patient: Resource = {
            "resourceType": "Patient",
            "identifier": [{"system": self._own("patient"), "value": text["patient"]}],
            "managingOrganization": self._to("laboratory"),
        }
        if self.known.patient_name:
            patient["name"] = [{"use": "official", "text": self.known.patient_name}]
        if self.known.birth_date:
            patient["birthDate"] = self.known.birth_date.isoformat()
        self._add("patient", patient)
        amenders = (cell["amended"]["by"] for cell in text["cells"] if cell["amended"])
        for reader in (text["signature"], text["cells_read_by"], *amenders):
            if reader and f"reader-{reader['user']}" not in self.resources:
                self._add(f"reader-{reader['user']}", self._practitioner(reader))

    def _practitioner(self, reader: Mapping[str, Any]) -> Resource:
        return {
            "resourceType": "Practitioner",
            "identifier": [{"system": "urn:cytodesk:user", "value": str(reader["user"])}],
            "name": [{"text": reader["name"]}],
        }

    @property
    def _signer(self) -> Resource | None:
        signed = self.known.text["signature"]
        return self._to(f"reader-{signed['user']}") if signed else None

    @property
    def _cell_reader(self) -> Resource | None:
        reader = self.known.text["cells_read_by"]
        return self._to(f"reader-{reader['user']}") if reader else None

    def _specimen(self) -> None:
        text = self.known.text
        kind = bethesda.SpecimenType(text["specimen_type"])
        specimen: Resource = {
            "resourceType": "Specimen",
            "accessionIdentifier": {
                "system": self._own("accession"),
                "value": text["accession_number"],
            },
            "status": "available",
            "type": _own_concept(kind.value, kind.label),
            "subject": self._to("patient"),
            "receivedTime": text["received_at"],
        }
        if text["collected_on"]:
            specimen["collection"] = {"collectedDateTime": text["collected_on"]}
        self._add("specimen", specimen)

    # ── What a person says ───────────────────────────────────────────────────────────────────────

    def _results(self) -> Iterator[Resource]:
        """Adequacy, general category, interpretations, organisms and other findings."""
        read = self.known.read
        if read is None:
            return
        observed = OBSERVED[self.known.text["specimen_type"]]
        yield self._result("adequacy", ADEQUACY, _adequacy(read), component=_components(read))
        category = bethesda.general_category(read)
        if category:
            value = _own_concept(category.value, category.label)
            yield self._result("category", CATEGORY, value)
        for code in read.interpretations:
            value = _concept(bethesda.INTERPRETATIONS[code])
            yield self._result(f"interpretation-{code}", observed, value)
        for code in read.observations:
            value = _concept(bethesda.OBSERVATIONS[code])
            yield self._result(f"observation-{code}", observed, value)

    def _result(self, name: str, loinc: str, value: Resource, **more: Any) -> Resource:  # noqa: ANN401
        observation = self._observation(
            {"coding": [{"system": LOINC, "code": loinc}]}, self._status, valueCodeableConcept=value
        )
        performer = self._signer or self._cell_reader
        if performer:
            observation["performer"] = [performer]
        return self._add(name, observation | {key: one for key, one in more.items() if one})

    @property
    def _status(self) -> str:
        """Of an observation: what was only added to leaves it as it was."""
        return {"appended": "final", "registered": "preliminary"}.get(
            self.known.status, self.known.status
        )

    def _observation(self, code: Resource, status: str, **more: Any) -> Resource:  # noqa: ANN401
        observation: Resource = {
            "resourceType": "Observation",
            "status": status,
            "category": [_coded(f"{TERMINOLOGY}observation-category", "laboratory")],
            "code": code,
            "subject": self._to("patient"),
            "specimen": self._to("specimen"),
            "issued": signature.moment(self.known.at),
        }
        if self.known.text["collected_on"]:
            observation["effectiveDateTime"] = self.known.text["collected_on"]
        return observation | more

    def _cells(self) -> Iterator[Resource]:
        """A person's finding for each cell image."""
        for cell in self.known.text["cells"]:
            if not cell["finding"] and not cell["exclusion"]:
                continue
            observation = self._observation(
                {"text": "Class of a cell, found by a person"},
                self._status,
                derivedFrom=[_image(cell)],
            )
            if amended := cell["amended"]:
                observation["performer"] = [self._to(f"reader-{amended['by']['user']}")]
                words = f"Amended in version {amended['version']}; before: {amended['before']}."
                observation["note"] = [{"text": words}]
            elif self._cell_reader:
                observation["performer"] = [self._cell_reader]
            if cell["finding"]:
                observation["valueCodeableConcept"] = _class(cell["finding"])
            else:
                observation["dataAbsentReason"] = {"text": f"Excluded: {cell['exclusion']}"}
            yield self._add(f"cell-{cell['image']}", observation)

    # ── What the model answered ──────────────────────────────────────────────────────────────────

    def _model(self) -> Iterator[Resource]:
        """The model's answer for each cell image: an observation of a device, of no person."""
        for cell in self.known.text["cells"]:
            model = cell["model"]
            if not model:
                continue
            name = f"device-{model['digest']}"
            if name not in self.resources:
                self._add(name, _device(model))
            observation = self._observation(
                {"text": "Class of a cell, by a model"},
                "final" if self.known.version else "preliminary",
                derivedFrom=[_image(cell)],
                device=self._to(name),
                method={"text": "Image classification by a neural network"},
                component=[
                    _probability(label, share)
                    for label, share in zip(CellClass, model["probabilities"], strict=True)
                ],
            )
            if model["abstained"]:
                observation["dataAbsentReason"] = {"text": "Needs a human look"}
                observation["note"] = [{"text": reason} for reason in model["reasons"]]
            else:
                observation["valueCodeableConcept"] = _class(model["cell_class"])
            yield self._add(f"model-{cell['image']}", observation)

    # ── The report ───────────────────────────────────────────────────────────────────────────────

    def _report(self, results: Sequence[Resource]) -> None:
        text, read = self.known.text, self.known.read
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "identifier": [
                {
                    "system": self._own("report"),
                    "value": f"{text['accession_number']}/{self.known.version}",
                }
            ],
            "status": self.known.status,
            "category": [_coded(f"{TERMINOLOGY}v2-0074", "CP")],
            "code": self._code,
            "subject": self._to("patient"),
            "specimen": [self._to("specimen")],
            "performer": [self._to("laboratory")],
            "issued": signature.moment(self.known.at),
        }
        if text["collected_on"]:
            report["effectiveDateTime"] = text["collected_on"]
        if results:
            report["result"] = list(results)
        if reader := self._signer or self._cell_reader:
            report["resultsInterpreter"] = [reader]
        if read:
            report["conclusion"] = "\n".join(f"{name}: {words}" for name, words in self._lines)
        if read and read.interpretations:
            terms = (bethesda.INTERPRETATIONS[code] for code in read.interpretations)
            report["conclusionCode"] = [_concept(term) for term in terms]
        if self.known.paper:
            report["presentedForm"] = [_attachment(self.known.paper, self.known.at)]
        self._add("report", report)

    @property
    def _lines(self) -> list[tuple[str, str]]:
        lines = bethesda.describe(self.known.read) if self.known.read else []
        versions = [*self.known.text["earlier"], self.known.text]
        added = [("Addendum", version["addendum"]) for version in versions if version["addendum"]]
        return [*lines, *added]

    @property
    def _code(self) -> Resource:
        code = REPORTS[self.known.text["specimen_type"]]
        return {"coding": [{"system": LOINC, "code": code}], "text": TITLE}

    def _provenance(self) -> None:
        """Who signed what, when and with which meaning, bound to the digest of the signed text."""
        text = self.known.text
        signed, change = text["signature"], text["change"]
        who = self._to(f"reader-{signed['user']}")
        provenance: Resource = {
            "resourceType": "Provenance",
            "target": [self._to("report")],
            "occurredDateTime": signed["signed_at"],
            "recorded": signed["signed_at"],
            "activity": {"text": signed["meaning"]},
            "agent": [
                {
                    "type": _coded(f"{TERMINOLOGY}provenance-participant-type", "legal"),
                    "role": [{"text": signed["role"]}],
                    "who": who,
                    "onBehalfOf": self._to("laboratory"),
                }
            ],
            "entity": [{"role": "source", "what": {"identifier": _digest(self.known.digest)}}],
            "signature": [
                {
                    "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": AUTHORS_SIGNATURE}],
                    "when": signed["signed_at"],
                    "who": who,
                    "targetFormat": "application/json",
                    "sigFormat": "text/plain",
                    "data": b64encode(f"sha-256:{self.known.digest}".encode()).decode(),
                }
            ],
        }
        if change:
            provenance["reason"] = [{"text": change["reason"]}]
            provenance["entity"].append(
                {"role": "revision", "what": {"identifier": _digest(change["supersedes_digest"])}}
            )
        self._add("provenance", provenance)

    def _composition(
        self, results: Sequence[Resource], cells: Sequence[Resource], model: Sequence[Resource]
    ) -> Resource:
        known = self.known
        composition: Resource = {
            "resourceType": "Composition",
            "meta": {"tag": [_disclaimer()]},
            "text": _narrative([("", signature.DISCLAIMER), *self._lines]),
            "identifier": _uri(self._document_id(known.version)),
            "status": _COMPOSED.get(known.status, "amended"),
            "type": self._code,
            "subject": self._to("patient"),
            "date": signature.moment(known.at),
            "author": [self._signer or self._to("laboratory")],
            "title": TITLE,
            "custodian": self._to("laboratory"),
            "section": list(self._sections(results, cells, model)),
        }
        if self._signer:
            composition["attester"] = [
                {"mode": "legal", "time": signature.moment(known.at), "party": self._signer}
            ]
        if known.version > 1:
            earlier = _uri(self._document_id(known.version - 1))
            composition["relatesTo"] = [{"code": "replaces", "targetIdentifier": earlier}]
        return composition

    def _sections(
        self, results: Sequence[Resource], cells: Sequence[Resource], model: Sequence[Resource]
    ) -> Iterator[Resource]:
        yield {
            "title": "Disclaimer",
            "text": _narrative([("", signature.DISCLAIMER)]),
        }
        lines = self._lines or [("", "No result has been reported yet.")]
        reports = [self._to("report"), *results]
        yield {"title": "Result", "text": _narrative(lines), "entry": reports}
        if change := self.known.text["change"]:
            yield {"title": "What changed", "text": _narrative(_change(change))}
        yield {"title": "Specimen", "entry": [self._to("specimen")]}
        if cells:
            yield {"title": "Cells", "entry": list(cells)}
        if model:
            used = sorted({c["model"]["version"] for c in self.known.text["cells"] if c["model"]})
            words = (
                f"The cells were classified by {' and '.join(used)}. The model gives no diagnosis."
            )
            yield {
                "title": "Computer-assisted",
                "text": _narrative([("", words)]),
                "entry": list(model),
            }


_COMPOSED = {"registered": "preliminary", "preliminary": "preliminary", "final": "final"}


# ── Data types ───────────────────────────────────────────────────────────────────────────────────


def _uri(value: str) -> Resource:
    return {"system": "urn:ietf:rfc:3986", "value": value}


def _digest(digest: str) -> Resource:
    return {"system": DIGEST, "value": digest}


def _disclaimer() -> Resource:
    return {
        "system": "urn:cytodesk:purpose",
        "code": "research-education",
        "display": signature.DISCLAIMER,
    }


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _own_concept(code: str, label: str, snomed: str = "") -> Resource:
    coding = [{"system": BETHESDA, "code": code, "display": str(label)}]
    if snomed:
        coding.append({"system": SNOMED, "code": snomed})
    return {"coding": coding, "text": str(label)}


def _concept(term: bethesda.Term) -> Resource:
    return _own_concept(term.code, term.label, term.snomed)


def _class(name: str) -> Resource:
    return {"coding": [{"system": CELL_CLASS, "code": name, "display": name}], "text": name}


def _adequacy(read: bethesda.Read) -> Resource:
    snomed = bethesda.ADEQUACY_SNOMED.get(read.adequacy, "")
    return _own_concept(read.adequacy.value, read.adequacy.label, snomed)


def _components(read: bethesda.Read) -> list[Resource]:
    """Why a specimen is unsatisfactory, and what was noted of its quality."""
    found = [("Reason", _concept(bethesda.REASONS[code])) for code in read.reasons] + [
        ("Quality indicator", _concept(bethesda.QUALITY_INDICATORS[code])) for code in read.quality
    ]
    if read.ec_tz:
        snomed = bethesda.TRANSFORMATION_ZONE_SNOMED.get(read.ec_tz, "")
        value = _own_concept(f"EC-TZ-{read.ec_tz.value}", read.ec_tz.label, snomed)
        found.append(("Endocervical/transformation zone component", value))
    return [{"code": {"text": name}, "valueCodeableConcept": value} for name, value in found]


def _attachment(paper: Paper, at: datetime) -> Resource:
    """A file within the document; FHIR R4 has its hash by SHA-1, which says that it came whole."""
    return {
        "contentType": "application/pdf",
        "language": "en",
        "data": b64encode(paper.content).decode(),
        "size": len(paper.content),
        "hash": b64encode(sha1(paper.content, usedforsecurity=False).digest()).decode(),
        "title": paper.name,
        "creation": signature.moment(at),
    }


def _probability(label: str, share: float) -> Resource:
    quantity = {"value": share, "system": "http://unitsofmeasure.org", "code": "1"}
    return {"code": _class(label), "valueQuantity": quantity}


def _image(cell: Mapping[str, Any]) -> Resource:
    return {"type": "Media", "identifier": _digest(cell["image"])}


def _device(model: Mapping[str, Any]) -> Resource:
    return {
        "resourceType": "Device",
        "identifier": [_digest(model["digest"])],
        "deviceName": [{"name": model["version"], "type": "model-name"}],
        "type": {"text": "Classifier of cell images"},
        "version": [{"value": model["version"]}],
        "note": [{"text": signature.DISCLAIMER}],
    }


def _change(change: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("In place of", f"Version {change['supersedes']}"),
        ("Reason", change["reason"]),
        ("Affects care", "Yes" if change["affects_care"] else "No"),
    ]
    if change["notified"]:
        lines.append(
            ("Notified", f"{change['notified']}, {change['notified_at'] or ''}".strip(", "))
        )
    return lines


def _narrative(lines: Sequence[tuple[str, str]]) -> Resource:
    said = ((f"{name}: " if name else "", words) for name, words in lines)
    paragraphs = format_html_join("", "<p><b>{}</b>{}</p>", said)
    div = format_html('<div xmlns="http://www.w3.org/1999/xhtml">{}</div>', paragraphs)
    return {"status": "generated", "div": str(div)}
