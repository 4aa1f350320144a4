"""What becomes of a read, as tables: referral, hold, sign-out, agreement."""

from dataclasses import replace

import pytest

from cases import bethesda, policy
from cases.bethesda import Adequacy, Read
from cases.policy import Outcome, Rules

SIGNS = Rules(cytotechnologists_sign=True)
OPEN = Rules(
    cytotechnologists_sign=True,
    unsatisfactory_to_pathologist=False,
    endometrial_to_pathologist=False,
)


def said(*interpretations, observations=()):
    return Read(
        adequacy=Adequacy.SATISFACTORY,
        interpretations=interpretations,
        observations=observations,
    )


def unsatisfactory(adequacy=Adequacy.UNSATISFACTORY, reason="BLOOD"):
    return Read(adequacy=adequacy, reasons=(reason,))


ABNORMAL = [code for code in bethesda.INTERPRETATIONS if code not in ("NILM", "ENDO45")]
REACTIVE = ["INFLAMMATION", "LYMPHOCYTIC", "RADIATION", "IUD"]


@pytest.mark.parametrize("code", ABNORMAL)
@pytest.mark.parametrize("rules", [Rules(), SIGNS, OPEN])
def test_r1_asc_us_or_worse_always_goes_to_a_pathologist(code, rules):
    verdict = policy.after_screening(said(code), 0, rules)

    assert (verdict.outcome, verdict.rule) == (Outcome.REFER, "R1")
    assert verdict.sentence.endswith("(R1).")


@pytest.mark.parametrize("code", REACTIVE)
@pytest.mark.parametrize("rules", [Rules(), SIGNS, OPEN])
def test_r1_nilm_with_reactive_changes_always_goes_to_a_pathologist(code, rules):
    verdict = policy.after_screening(said("NILM", observations=(code,)), 0, rules)

    assert (verdict.outcome, verdict.rule) == (Outcome.REFER, "R1")


@pytest.mark.parametrize(
    ("read", "abnormal_cells", "rules", "outcome"),
    [
        (said("NILM"), 0, Rules(), Outcome.REFER),
        (said("NILM"), 0, SIGNS, Outcome.SIGN_OUT),
        (said("NILM", observations=("CANDIDA", "ATROPHY")), 0, SIGNS, Outcome.SIGN_OUT),
        (said("NILM"), 1, SIGNS, Outcome.REFER),
        (said("NILM"), 1, OPEN, Outcome.REFER),
        (unsatisfactory(), 0, Rules(), Outcome.REFER),
        (unsatisfactory(), 0, SIGNS, Outcome.REFER),
        (unsatisfactory(), 0, OPEN, Outcome.SIGN_OUT),
        (unsatisfactory(Adequacy.REJECTED, "BROKEN"), 0, SIGNS, Outcome.REFER),
        (unsatisfactory(Adequacy.REJECTED, "BROKEN"), 0, OPEN, Outcome.SIGN_OUT),
        (said("NILM", "ENDO45"), 0, SIGNS, Outcome.REFER),
        (said("ENDO45"), 0, SIGNS, Outcome.REFER),
        (said("ENDO45"), 0, OPEN, Outcome.SIGN_OUT),
        (said("ENDO45"), 0, replace(OPEN, cytotechnologists_sign=False), Outcome.REFER),
    ],
)
def test_r2_who_signs_a_negative_is_what_the_laboratory_has_chosen(
    read, abnormal_cells, rules, outcome
):
    verdict = policy.after_screening(read, abnormal_cells, rules)

    assert (verdict.outcome, verdict.rule) == (outcome, "R2")
    assert verdict.sentence.endswith("(R2).")


@pytest.mark.parametrize(
    ("read", "negative"),
    [
        (said("NILM"), True),
        (said("NILM", "ENDO45"), True),
        (said("ENDO45"), True),
        (said("ASC-US"), False),
        (said("MAL-OTHER"), False),
        (unsatisfactory(), False),
    ],
)
def test_r5_what_shows_no_abnormality_is_negative(read, negative):
    assert policy.is_negative(read) is negative


@pytest.mark.parametrize(
    ("share", "many"), [(10, 1), (11, 2), (20, 2), (25, 3), (50, 5), (99, 10), (100, 10), (0, 1)]
)
def test_r5_the_draw_takes_at_least_the_share_of_every_series(share, many):
    for seed in map(str, range(50)):
        chosen = policy.drawn(seed, share)

        assert len(chosen) == many
        assert chosen <= set(range(1, policy.SERIES + 1))


def test_r5_the_draw_is_the_same_whenever_it_is_done_again():
    # worked out once by hand: SHA-256 of "cytodesk:1" to "cytodesk:10", the smallest first
    assert policy.drawn("cytodesk", 10) == policy.drawn("cytodesk", 10) == {2}


def test_r5_every_rank_is_drawn_about_as_often():
    ranks = [rank for seed in range(2000) for rank in policy.drawn(f"seed {seed}", 10)]

    assert min(ranks.count(rank) for rank in range(1, 11)) > 140
    assert max(ranks.count(rank) for rank in range(1, 11)) < 260


@pytest.mark.parametrize(
    ("rank", "higher_risk", "outcome"),
    [
        (3, "", Outcome.HOLD),
        (4, "", None),
        (4, "the patient is flagged higher-risk", Outcome.HOLD),
        (3, "the patient is flagged higher-risk", Outcome.HOLD),
    ],
)
def test_r5_what_is_drawn_or_higher_risk_is_held(rank, higher_risk, outcome):
    verdict = policy.held(rank, {3}, higher_risk)

    assert (verdict and verdict.outcome) == outcome
    assert verdict is None or verdict.sentence.endswith("(R5).")


@pytest.mark.parametrize(
    ("second", "rules", "outcome"),
    [
        (said("NILM"), SIGNS, Outcome.AGREE),
        (said("NILM", observations=("CANDIDA",)), SIGNS, Outcome.AGREE),
        (said("NILM", observations=("IUD",)), SIGNS, Outcome.ADJUDICATE),
        (said("ASC-US"), SIGNS, Outcome.ADJUDICATE),
        (said("NILM", "ENDO45"), OPEN, Outcome.ADJUDICATE),
        (unsatisfactory(), SIGNS, Outcome.ADJUDICATE),
        (said("NILM"), Rules(), Outcome.REFER),
    ],
)
def test_r6_two_reads_agree_or_a_pathologist_decides(second, rules, outcome):
    verdict = policy.after_rescreen(said("NILM"), second, rules)

    assert verdict.outcome == outcome


def test_r1_what_two_cytotechnologists_agree_on_is_no_more_final_than_what_one_said():
    verdict = policy.after_rescreen(said("ASC-US"), said("ASC-US"), SIGNS)

    assert (verdict.outcome, verdict.rule) == (Outcome.REFER, "R1")


def test_r6_an_abnormal_cell_that_the_second_reader_found_brings_a_pathologist():
    verdict = policy.after_rescreen(said("NILM"), said("NILM"), SIGNS, abnormal_cells=1)

    assert verdict.outcome == Outcome.REFER
