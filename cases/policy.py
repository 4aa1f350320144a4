"""What becomes of a read: referral, rescreen or sign-out, as pure functions of the rules.

Nothing here knows a row, a person or the network: whatever the model says, it neither closes nor
releases a case (R23). Each verdict carries its rule and one sentence, which the page shows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from cases import bethesda
from cases.bethesda import Adequacy, Read

SERIES = 10  # negative reads among which the random draw chooses
LEAST_SHARE = 10  # percent; no setting goes below it (R5)


class Outcome(StrEnum):
    """What a read led to."""

    REFER = "refer"
    HOLD = "hold"
    SIGN_OUT = "sign-out"
    AGREE = "agree"
    ADJUDICATE = "adjudicate"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the laboratory has chosen of what a policy may choose."""

    cytotechnologists_sign: bool = False
    unsatisfactory_to_pathologist: bool = True
    endometrial_to_pathologist: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    rule: str
    why: str

    @property
    def sentence(self) -> str:
        """Like "A pathologist signs every case here (R2)."."""
        return f"{self.why} ({self.rule})."


def after_screening(
    read: Read, abnormal_cells: int, rules: Rules, *, asked_for: bool = False
) -> Verdict:
    """Whether a screened case goes to a pathologist, or its screener may sign it out.

    Whether a rescreen holds what may be signed out is for the draw to say. ``asked_for`` says that
    a pathologist sent the case back for this screening.
    """
    grave = next(filter(bethesda.is_abnormality, read.interpretations), "")
    reactive = bethesda.reactive_changes(read)
    unsatisfactory = read.adequacy != Adequacy.SATISFACTORY
    referrals = (
        (grave, "R1", f"{grave} is final only with the signature of a pathologist"),
        (reactive, "R1", "Reactive changes are for a pathologist to sign"),
        (not rules.cytotechnologists_sign, "R2", "A pathologist signs every case here"),
        (asked_for, "R2", "A pathologist asked for this screening and reads the case again"),
        (abnormal_cells, "R2", "A cell was found abnormal, so this is no plain NILM"),
        (
            unsatisfactory and rules.unsatisfactory_to_pathologist,
            "R2",
            "An unsatisfactory specimen goes to a pathologist here",
        ),
        (
            "ENDO45" in read.interpretations and rules.endometrial_to_pathologist,
            "R2",
            "Endometrial cells at 45 or older go to a pathologist here",
        ),
    )
    for applies, rule, why in referrals:
        if applies:
            return Verdict(Outcome.REFER, rule, why)
    return Verdict(Outcome.SIGN_OUT, "R2", "Its screener may sign it out here")


def is_negative(read: Read) -> bool:
    """Whether a satisfactory specimen shows no abnormality: what R5 rescreens a share of."""
    return read.adequacy == Adequacy.SATISFACTORY and not any(
        bethesda.is_abnormality(code) for code in read.interpretations
    )


def drawn(seed: str, share: int) -> frozenset[int]:
    """The ranks, from 1 to `SERIES`, that are rescreened in the series with this seed.

    The SHA-256 of "seed:rank" orders the ranks, and the first ones are taken, so that anybody can
    draw again from the record; the share is rounded up, and never goes below ten percent.
    """
    many = -(-max(share, LEAST_SHARE) * SERIES // 100)
    ranks = range(1, SERIES + 1)
    return frozenset(sorted(ranks, key=lambda rank: _place(seed, rank))[:many])


def _place(seed: str, rank: int) -> bytes:
    return sha256(f"{seed}:{rank}".encode()).digest()


def held(rank: int, chosen: Collection[int], higher_risk: str) -> Verdict | None:
    """Why a negative read is held for rescreen; None where it is not. ``higher_risk`` says why."""
    if higher_risk:
        return Verdict(Outcome.HOLD, "R5", f"A second reader looks first, because {higher_risk}")
    if rank in chosen:
        return Verdict(Outcome.HOLD, "R5", "Drawn at random for a second reader before release")
    return None


def after_rescreen(first: Read, second: Read, rules: Rules, abnormal_cells: int = 0) -> Verdict:
    """Whether two reads say the same; where they do not, a pathologist decides."""
    if _result(first) != _result(second):
        return Verdict(Outcome.ADJUDICATE, "R6", "The two reads differ, so a pathologist decides")
    again = after_screening(second, abnormal_cells, rules)
    if again.outcome == Outcome.REFER:
        return again
    return Verdict(Outcome.AGREE, "R5", "The second reader agrees, so the case may be released")


def _result(read: Read) -> tuple[frozenset[str], bool]:
    """What two readers must agree on; organisms and quality indicators may differ.

    A specimen that one of them finds unsatisfactory has no interpretation (R3).
    """
    return frozenset(read.interpretations), bool(bethesda.reactive_changes(read))
