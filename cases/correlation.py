"""Cytology beside histology (R8): how many steps two results lie apart. Pure, without rows.

The steps are those of the usual correlation: negative, low grade, high grade, carcinoma. A step is
no verdict on anybody: what caused a difference is for a pathologist to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import TextChoices

from cases.bethesda import Adequacy, Read


class HistologyResult(TextChoices):
    BENIGN = "BENIGN", "Benign, no dysplasia"
    LSIL = "LSIL", "Low-grade squamous intraepithelial lesion (CIN 1)"
    HSIL = "HSIL", "High-grade squamous intraepithelial lesion (CIN 2 or 3)"
    AIS = "AIS", "Adenocarcinoma in situ"
    SCC = "SCC", "Squamous cell carcinoma"
    ADENOCARCINOMA = "ADC", "Adenocarcinoma"
    OTHER_MALIGNANT = "MAL-OTHER", "Other malignant neoplasm"
    INSUFFICIENT = "INSUFFICIENT", "Insufficient for a result"


class Agreement(TextChoices):
    AGREES = "agrees", "Agreement"
    STEP = "step", "Step difference"
    MAJOR = "major", "Major step difference"
    NONE = "none", "Not comparable"


class Cause(TextChoices):
    SAMPLING = "sampling", "Sampling: the cells were not in the specimen"
    SCREENING = "screening", "Screening: the cells were there and not seen"
    INTERPRETIVE = "interpretive", "Interpretive: the cells were seen and named otherwise"


NEGATIVE, LOW, HIGH, CARCINOMA = range(4)
OF_CYTOLOGY = {
    **dict.fromkeys(("NILM", "ENDO45"), NEGATIVE),
    **dict.fromkeys(("ASC-US", "LSIL", "AGC-EC", "AGC-EM", "AGC-NOS"), LOW),
    **dict.fromkeys(("ASC-H", "HSIL", "HSIL-INV", "AGC-EC-FN", "AGC-FN", "AIS"), HIGH),
    **dict.fromkeys(("SCC", "ADC-EC", "ADC-EM", "ADC-EXT", "ADC-NOS", "MAL-OTHER"), CARCINOMA),
}
OF_HISTOLOGY = {
    HistologyResult.BENIGN: NEGATIVE,
    HistologyResult.LSIL: LOW,
    **dict.fromkeys((HistologyResult.HSIL, HistologyResult.AIS), HIGH),
    HistologyResult.SCC: CARCINOMA,
    HistologyResult.ADENOCARCINOMA: CARCINOMA,
    HistologyResult.OTHER_MALIGNANT: CARCINOMA,
}


@dataclass(frozen=True, slots=True)
class Correlation:
    agreement: Agreement
    steps: int = 0

    @property
    def needs_a_cause(self) -> bool:
        return self.agreement in (Agreement.STEP, Agreement.MAJOR)


def correlate(read: Read, histology: HistologyResult) -> Correlation:
    """Compare the gravest interpretation with the tissue.

    It is major where one says negative and the other high grade or worse. An unsatisfactory
    specimen, or tissue that gave no result, compares with nothing.
    """
    if read.adequacy != Adequacy.SATISFACTORY or histology not in OF_HISTOLOGY:
        return Correlation(Agreement.NONE)
    cytology = _gravest(read.interpretations)
    tissue = OF_HISTOLOGY[histology]
    steps = abs(cytology - tissue)
    if not steps:
        return Correlation(Agreement.AGREES)
    is_major = min(cytology, tissue) == NEGATIVE and max(cytology, tissue) >= HIGH
    return Correlation(Agreement.MAJOR if is_major else Agreement.STEP, steps)


def _gravest(interpretations: Iterable[str]) -> int:
    return max((OF_CYTOLOGY[code] for code in interpretations), default=NEGATIVE)
