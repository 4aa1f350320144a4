"""The Bethesda System 2014 as codes, and the rules that make a read of a specimen consistent.

SNOMED CT codes stand beside the terms for which a public FHIR guide gives one. Nothing here knows
a case, a row or the network: a read is a value, and what is wrong with it is a list of sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self, TypeVar

from django.db.models import TextChoices


class SpecimenType(TextChoices):
    CONVENTIONAL = "CONV", "Conventional smear"
    LIQUID_BASED = "LBC", "Liquid-based preparation"
    OTHER = "OTHER", "Other preparation"


class Adequacy(TextChoices):
    SATISFACTORY = "SAT", "Satisfactory for evaluation"
    UNSATISFACTORY = "UNSAT", "Processed and examined, but unsatisfactory for evaluation"
    REJECTED = "UNSAT_REJECTED", "Rejected, not processed"


ADEQUACY_SNOMED = {Adequacy.SATISFACTORY: "125152006", Adequacy.UNSATISFACTORY: "125154007"}


class TransformationZone(TextChoices):
    """Whether endocervical cells or cells of the transformation zone (EC/TZ) are there."""

    PRESENT = "PRESENT", "Endocervical/transformation zone component present"
    ABSENT = "ABSENT", "Endocervical/transformation zone component absent"


TRANSFORMATION_ZONE_SNOMED = {TransformationZone.ABSENT: "412716005"}


class GeneralCategory(TextChoices):
    NILM = "NILM", "Negative for intraepithelial lesion or malignancy"
    SQUAMOUS = "ECA_SQUAMOUS", "Epithelial cell abnormality: squamous"
    GLANDULAR = "ECA_GLANDULAR", "Epithelial cell abnormality: glandular"
    OTHER = "OTHER", "Other"


class FindingGroup(StrEnum):
    ORGANISM = "Organism"
    VARIATION = "Non-neoplastic cellular variation"
    REACTIVE = "Reactive cellular changes"
    GLANDULAR = "Glandular cells status post hysterectomy"


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the system: its code here, its words, and its SNOMED CT code where known."""

    code: str
    label: str
    snomed: str = ""


@dataclass(frozen=True, slots=True)
class Reason(Term):
    """Why a specimen is unsatisfactory; each reason belongs to one kind of it."""

    adequacy: Adequacy = Adequacy.UNSATISFACTORY


@dataclass(frozen=True, slots=True)
class Interpretation(Term):
    category: GeneralCategory = GeneralCategory.OTHER


@dataclass(frozen=True, slots=True)
class Observation(Term):
    """An organism or a finding that is no neoplasia."""

    group: FindingGroup = FindingGroup.ORGANISM


_T = TypeVar("_T", bound=Term)


def _by_code(*terms: _T) -> Mapping[str, _T]:
    return {term.code: term for term in terms}


_UNSAT, _REJECTED = Adequacy.UNSATISFACTORY, Adequacy.REJECTED
REASONS = _by_code(
    Reason("SCANT", "Scant squamous cellularity", "125161006", _UNSAT),
    Reason("BLOOD", "Obscuring blood", "123836007", _UNSAT),
    Reason("INFLAMMATION", "Obscuring inflammation", "123837003", _UNSAT),
    Reason("AIR-DRYING", "Air drying or poor fixation", "125162004", _UNSAT),
    Reason("THICK", "Thick or overlapping cells", adequacy=_UNSAT),
    Reason("CONTAMINANT", "Contaminant", adequacy=_UNSAT),
    Reason("UNLABELLED", "Unlabelled specimen", adequacy=_REJECTED),
    Reason("BROKEN", "Broken slide", adequacy=_REJECTED),
    Reason("NO-REQUEST", "No matching request", adequacy=_REJECTED),
)
QUALITY_INDICATORS = _by_code(
    Term("PARTIAL-BLOOD", "Partially obscuring blood"),
    Term("PARTIAL-INFLAMMATION", "Partially obscuring inflammation"),
)

_SQUAMOUS, _GLANDULAR = GeneralCategory.SQUAMOUS, GeneralCategory.GLANDULAR
INTERPRETATIONS = _by_code(
    Interpretation(
        "NILM",
        "Negative for intraepithelial lesion or malignancy",
        "373887005",
        GeneralCategory.NILM,
    ),
    Interpretation("ENDO45", "Endometrial cells in a woman 45 years or older"),
    Interpretation(
        "ASC-US",
        "Atypical squamous cells of undetermined significance",
        "441087007",
        _SQUAMOUS,
    ),
    Interpretation("ASC-H", "Atypical squamous cells, cannot exclude HSIL", "441088002", _SQUAMOUS),
    Interpretation(
        "LSIL", "Low-grade squamous intraepithelial lesion", "62051000119105", _SQUAMOUS
    ),
    Interpretation(
        "HSIL", "High-grade squamous intraepithelial lesion", "62061000119107", _SQUAMOUS
    ),
    Interpretation(
        "HSIL-INV",
        "High-grade squamous intraepithelial lesion, features suspicious for invasion",
        category=_SQUAMOUS,
    ),
    Interpretation("SCC", "Squamous cell carcinoma", "1162767002", _SQUAMOUS),
    Interpretation("AGC-EC", "Atypical endocervical cells", "441094005", _GLANDULAR),
    Interpretation("AGC-EM", "Atypical endometrial cells", "103646000", _GLANDULAR),
    Interpretation(
        "AGC-NOS", "Atypical glandular cells, not otherwise specified", "441219009", _GLANDULAR
    ),
    Interpretation(
        "AGC-EC-FN", "Atypical endocervical cells, favor neoplastic", "373882004", _GLANDULAR
    ),
    Interpretation("AGC-FN", "Atypical glandular cells, favor neoplastic", "373883009", _GLANDULAR),
    Interpretation("AIS", "Endocervical adenocarcinoma in situ", "51642000", _GLANDULAR),
    Interpretation("ADC-EC", "Adenocarcinoma, endocervical", category=_GLANDULAR),
    Interpretation("ADC-EM", "Adenocarcinoma, endometrial", category=_GLANDULAR),
    Interpretation("ADC-EXT", "Adenocarcinoma, extrauterine", category=_GLANDULAR),
    Interpretation("ADC-NOS", "Adenocarcinoma, not otherwise specified", "1187332001", _GLANDULAR),
    Interpretation("MAL-OTHER", "Other malignant neoplasm"),
)

_VARIATION, _REACTIVE = FindingGroup.VARIATION, FindingGroup.REACTIVE
OBSERVATIONS = _by_code(
    Observation("TRICHOMONAS", "Trichomonas vaginalis", "168417005"),
    Observation("CANDIDA", "Fungal organisms consistent with Candida", "168418000"),
    Observation("BACTERIAL-VAGINOSIS", "Shift in flora suggestive of bacterial vaginosis"),
    Observation("ACTINOMYCES", "Bacteria consistent with Actinomyces", "168422005"),
    Observation("HERPES", "Changes consistent with herpes simplex virus", "373875003"),
    Observation("CYTOMEGALOVIRUS", "Changes consistent with cytomegalovirus"),
    Observation("SQUAMOUS-METAPLASIA", "Squamous metaplasia", group=_VARIATION),
    Observation("KERATOTIC", "Keratotic changes", group=_VARIATION),
    Observation("TUBAL-METAPLASIA", "Tubal metaplasia", group=_VARIATION),
    Observation("ATROPHY", "Atrophy", group=_VARIATION),
    Observation("PREGNANCY", "Pregnancy-associated changes", group=_VARIATION),
    Observation("INFLAMMATION", "Inflammation, including typical repair", group=_REACTIVE),
    Observation("LYMPHOCYTIC", "Lymphocytic (follicular) cervicitis", group=_REACTIVE),
    Observation("RADIATION", "Radiation", group=_REACTIVE),
    Observation("IUD", "Intrauterine contraceptive device", group=_REACTIVE),
    Observation(
        "POST-HYSTERECTOMY",
        "Glandular cells status post hysterectomy",
        group=FindingGroup.GLANDULAR,
    ),
)


class InvalidRead(ValueError):
    """What was sent is no read; the message names the code that is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a person says of a specimen, in codes; the leading interpretation comes first.

    ``quality`` are quality indicators; ``observations`` are organisms and non-neoplastic findings.
    """

    adequacy: Adequacy
    reasons: tuple[str, ...] = ()
    ec_tz: TransformationZone | None = None
    quality: tuple[str, ...] = ()
    interpretations: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    comment: str = ""

    def to_json(self) -> dict[str, Any]:
        """The read as JSON knows it: text, lists of text and null."""
        return {
            name: list(value) if isinstance(value, tuple) else value and str(value)
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, sent: Mapping[str, Any]) -> Self:
        """A read from JSON, form or row; every code is known afterwards, or `InvalidRead` names it.

        Whether the read makes sense is for `problems` to say.
        """
        if unknown := sorted(set(sent) - {field.name for field in fields(cls)}):
            raise InvalidRead(f"A read has no “{unknown[0]}”.")
        comment = sent.get("comment", "")
        if not isinstance(comment, str):
            raise InvalidRead("The comment is not text.")
        return cls(
            adequacy=_choice(Adequacy, "adequacy", sent.get("adequacy")),
            reasons=_codes(REASONS, "reason", sent.get("reasons", ())),
            ec_tz=_choice(TransformationZone, "EC/TZ component", sent["ec_tz"])
            if sent.get("ec_tz")
            else None,
            quality=_codes(QUALITY_INDICATORS, "quality indicator", sent.get("quality", ())),
            interpretations=_codes(
                INTERPRETATIONS, "interpretation", sent.get("interpretations", ())
            ),
            observations=_codes(OBSERVATIONS, "organism or finding", sent.get("observations", ())),
            comment=comment.strip(),
        )


_C = TypeVar("_C", bound=TextChoices)


def _choice(choices: type[_C], word: str, sent: object) -> _C:
    if sent in (None, ""):
        raise InvalidRead(f"The {word} is missing.")
    for choice in choices:
        if choice == sent:
            return choice
    raise InvalidRead(f"“{sent}” is not a known {word}.")


def _codes(known: Mapping[str, Term], word: str, sent: object) -> tuple[str, ...]:
    if isinstance(sent, str) or not isinstance(sent, Sequence):
        raise InvalidRead(f"Each {word} belongs in a list.")
    for code in sent:
        if not isinstance(code, str) or code not in known:
            raise InvalidRead(f"“{code}” is not a known {word}.")
    return tuple(dict.fromkeys(sent))


def describe(read: Read) -> list[tuple[str, str]]:
    """What a read says, in words: a heading and its text for each part that says something."""

    def words(known: Mapping[str, Term], codes: Sequence[str]) -> str:
        return "; ".join(f"{known[code].label} ({code})" for code in codes)

    category = general_category(read)
    lines = [
        ("Specimen adequacy", read.adequacy.label),
        ("Reasons", words(REASONS, read.reasons)),
        ("EC/TZ component", read.ec_tz.label if read.ec_tz else ""),
        ("Quality indicators", words(QUALITY_INDICATORS, read.quality)),
        ("General category", category.label if category else ""),
        ("Interpretation", words(INTERPRETATIONS, read.interpretations)),
        ("Organisms and other findings", words(OBSERVATIONS, read.observations)),
        ("Comment", read.comment),
    ]
    return [(heading, text) for heading, text in lines if text]


def in_codes(read: Mapping[str, Any] | None) -> str:
    """A read in its codes, like "NILM; ATROPHY" or "UNSAT; BLOOD"; "open" before there is one."""
    if read is None:
        return "open"
    first = read["interpretations"] or [read["adequacy"]]
    return "; ".join([*first, *read["reasons"], *read["observations"]])


# --- The rules


def general_category(read: Read) -> GeneralCategory | None:
    """The category of the leading abnormal interpretation, else other, else NILM, else none."""
    given = [INTERPRETATIONS[code].category for code in read.interpretations]
    for category in given:
        if category in EPITHELIAL_ABNORMALITIES:
            return category
    return next(
        (c for c in (GeneralCategory.OTHER, GeneralCategory.NILM) if c in given),
        None,
    )


EPITHELIAL_ABNORMALITIES = (GeneralCategory.SQUAMOUS, GeneralCategory.GLANDULAR)


def problems(read: Read, abnormal_cells: int) -> list[str]:
    """Why this read cannot be signed, one sentence a reason with its rule; empty where it can.

    ``abnormal_cells`` counts the cells that a person found koilocytotic or dyskeratotic.
    """
    if read.adequacy == Adequacy.SATISFACTORY:
        found = _problems_of_a_satisfactory_specimen(read)
    else:
        found = _problems_of_an_unsatisfactory_specimen(read, abnormal_cells)
    return found


def _problems_of_a_satisfactory_specimen(read: Read) -> list[str]:
    found = []
    if read.reasons:
        found.append("A satisfactory specimen has no reason to be unsatisfactory (R3).")
    if not read.interpretations:
        found.append("A satisfactory specimen needs an interpretation (R3).")
    abnormal = [code for code in read.interpretations if is_abnormality(code)]
    if abnormal and "NILM" in read.interpretations:
        found.append(f"NILM cannot stand beside {', '.join(abnormal)}: choose one of them (R4).")
    return found


def is_abnormality(code: str) -> bool:
    """ASC-US or worse, or another malignant neoplasm."""
    return INTERPRETATIONS[code].category in EPITHELIAL_ABNORMALITIES or code == "MAL-OTHER"


def reactive_changes(read: Read) -> list[Observation]:
    """The reactive changes, repair among them, that the read names."""
    named = [OBSERVATIONS[code] for code in read.observations]
    return [observation for observation in named if observation.group == FindingGroup.REACTIVE]


def _problems_of_an_unsatisfactory_specimen(read: Read, abnormal_cells: int) -> list[str]:
    found = []
    if abnormal_cells:
        cells = "one abnormal cell" if abnormal_cells == 1 else f"{abnormal_cells} abnormal cells"
        found.append(f"With {cells} the specimen is satisfactory, whatever else it shows (R3).")
    if not any(REASONS[code].adequacy == read.adequacy for code in read.reasons):
        found.append(f"“{read.adequacy.label}” needs at least one reason of its kind (R3).")
    found += [
        f"“{REASONS[code].label}” is no reason for “{read.adequacy.label}” (R3)."
        for code in read.reasons
        if REASONS[code].adequacy != read.adequacy
    ]
    if read.interpretations:
        found.append("An unsatisfactory specimen carries no interpretation (R3).")
    if read.adequacy == Adequacy.REJECTED and (read.observations or read.quality or read.ec_tz):
        found.append("A specimen that was not processed shows no findings (R3).")
    return found


# HSIL, adenocarcinoma and the other malignancies: a reason to read earlier slides again
_GRAVE = {"HSIL", "HSIL-INV", "SCC", "AIS", "ADC-EC", "ADC-EM", "ADC-EXT", "ADC-NOS", "MAL-OTHER"}


def calls_for_look_back(read: Read) -> bool:
    """Whether the patient's negative cases of the last five years are read again (R7)."""
    return any(code in _GRAVE for code in read.interpretations)


def result(read: Read) -> str:
    """The read in a few words: its codes, or what made the specimen unsatisfactory."""
    if read.adequacy != Adequacy.SATISFACTORY:
        return f"Unsatisfactory ({', '.join(read.reasons)})"
    return ", ".join(read.interpretations)
