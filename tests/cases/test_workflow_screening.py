"""Screening, rescreening, blind reading: what each read leads to, and what nobody can undo."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from cases import bethesda, policy, queries, sight, signature, workflow
from cases.bethesda import Adequacy
from cases.models import Case, Finding, Prediction, RescreenDraw, Review
from cases.workflow import Decision, InvalidTransition, Refused
from inference.labels import CellClass
from tests import make
from tests.make import proof

Status = Case.Status
Kind = Review.Kind
NILM = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM",))
ASC_US = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("ASC-US",))
UNSAT = bethesda.Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD",))

pytestmark = pytest.mark.django_db


def laboratory(**chosen):
    made = make.laboratory()
    make.reading(made, **{"primary_screening": True, "cytotechnologists_sign": True} | chosen)
    return made


def waiting(laboratory, status=Status.AWAITING_SCREENING, **fields):
    by = make.cytotechnologist(laboratory=laboratory)
    return make.case(status, by=by, images=1, **fields)


def find(case, user, cell_class="Parabasal"):
    """Look at the cells of a case that one holds, and give them all this class."""
    images = [image.pk for image in case.images.all()]
    workflow.display(case, user, images)
    workflow.decide(case, user, [Decision(image_id=pk, cell_class=cell_class) for pk in images])


def screened(case, read=NILM, by=None, cell_class="Parabasal"):
    """The case after a cytotechnologist committed this read of it, and who that was."""
    by = by or make.cytotechnologist(laboratory=case.laboratory)
    workflow.claim(case, by)
    find(case, by, cell_class)
    return workflow.commit(case, by, read), by


def held(laboratory):
    """A negative case that waits for its rescreen, and who screened it."""
    case = waiting(laboratory)
    case.patient.higher_risk = True
    case.patient.save()
    return screened(case)


# ── Where a case goes ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [CellClass.PARABASAL, CellClass.DYSKERATOTIC])
@pytest.mark.parametrize(
    ("screens", "state"), [(False, Status.AWAITING_REVIEW), (True, Status.AWAITING_SCREENING)]
)
def test_r23_whatever_the_model_says_a_case_goes_to_who_reads_first_here(screens, state, answer):
    case = make.case(Status.QUEUED, by=make.cytotechnologist(), images=1)
    make.reading(case.laboratory, primary_screening=screens)
    run = make.run(case)
    workflow.begin(run)
    make.prediction(run, case.images.get(), answer)

    assert workflow.record(run).status == state


def test_r1_a_read_of_asc_us_goes_to_a_pathologist_and_the_page_can_say_why():
    case, screener = screened(waiting(laboratory()), ASC_US, cell_class="Koilocytotic")

    assert (case.status, case.reviewer) == (Status.AWAITING_REVIEW, None)
    review = case.reviews.get()
    assert (review.reader, review.outcome) == (screener, policy.Outcome.REFER)
    assert review.why == "ASC-US is final only with the signature of a pathologist (R1)."


def test_r1_no_door_lets_a_cytotechnologist_sign_what_is_a_pathologists():
    case, screener = screened(waiting(laboratory()), ASC_US, cell_class="Koilocytotic")

    with pytest.raises(InvalidTransition):
        workflow.sign_out(case, screener, proof(screener))
    with pytest.raises(PermissionDenied):
        workflow.claim(case, screener)

    # even where the state says otherwise, the read is looked at once more when it is signed
    Review.objects.filter(case=case).update(ended_at=None, outcome="sign-out", why="So it was.")
    Case.objects.filter(pk=case.pk).update(status=Status.AWAITING_SIGNATURE, reviewer=screener)
    with pytest.raises(Refused, match="R1"):
        workflow.sign_out(case, screener, proof(screener))
    assert not case.reports.exists()


def test_r2_by_default_a_pathologist_signs_every_screened_case():
    case, _ = screened(waiting(laboratory(cytotechnologists_sign=False)))

    assert case.status == Status.AWAITING_REVIEW
    assert case.reviews.get().why == "A pathologist signs every case here (R2)."


@pytest.mark.parametrize(
    ("chosen", "state"),
    [({}, Status.AWAITING_REVIEW), ({"unsatisfactory_to_pathologist": False}, None)],
)
def test_r2_an_unsatisfactory_specimen_goes_where_the_laboratory_sends_it(chosen, state):
    case, _ = screened(waiting(laboratory(**chosen)), UNSAT)

    assert case.status == (state or Status.AWAITING_SIGNATURE)
    assert not RescreenDraw.objects.exists(), "what shows no cells is no negative"


def not_drawn(case):
    """Fill the series up to a rank that the draw passes over."""
    while True:
        case, screener = screened(case)
        if case.status == Status.AWAITING_SIGNATURE:
            return case, screener
        case = waiting(case.laboratory)


def test_r2_where_it_is_on_who_screened_a_plain_negative_signs_it_out():
    case, screener = not_drawn(waiting(laboratory()))

    signed = workflow.sign_out(case, screener, proof(screener))

    assert (signed.status, signed.reviewer) == (Status.SIGNED, screener)
    report = signed.reports.get()
    said = json.loads(report.content)
    assert signature.matches(report)
    assert said["signature"]["role"] == "Cytotechnologist"
    assert said["read"]["interpretations"] == ["NILM"]
    assert [cell["finding"] for cell in said["cells"]] == ["Parabasal"]
    assert [(read["kind"], read["reader"]) for read in said["reads"]] == [
        ("screening", screener.name)
    ]


def test_r2_what_was_switched_off_meanwhile_is_not_signed_out():
    case, screener = not_drawn(waiting(laboratory()))
    make.reading(case.laboratory, cytotechnologists_sign=False)

    with pytest.raises(Refused, match=r"\(R2\)\. Refer the case\."):
        workflow.sign_out(case, screener, proof(screener))

    assert workflow.refer(case, screener).status == Status.AWAITING_REVIEW


@pytest.mark.parametrize("whose", ["another's", "old"])
def test_r15_signing_out_needs_the_screeners_own_and_fresh_password(whose):
    case, screener = not_drawn(waiting(laboratory()))
    given = proof(make.cytotechnologist(laboratory=case.laboratory))
    if whose == "old":
        given = replace(proof(screener), at=timezone.now() - timedelta(minutes=3))

    with pytest.raises(PermissionDenied, match="password"):
        workflow.sign_out(case, screener, given)

    case.refresh_from_db()
    assert case.status == Status.AWAITING_SIGNATURE


@pytest.mark.parametrize("change", [{"role": "administrator"}, {"is_active": False}])
def test_r19_the_role_is_asked_for_at_the_moment_of_signing_out(change):
    case, screener = not_drawn(waiting(laboratory()))
    User.objects.filter(pk=screener.pk).update(**change)

    with pytest.raises(PermissionDenied):
        workflow.sign_out(case, screener, proof(screener))  # with the person as they were

    case.refresh_from_db()
    assert case.status == Status.AWAITING_SIGNATURE


def test_r19_nobody_else_signs_out_what_a_colleague_screened():
    case, _ = not_drawn(waiting(laboratory()))

    for other in (
        make.cytotechnologist(laboratory=case.laboratory),
        make.pathologist(laboratory=case.laboratory),
    ):
        with pytest.raises(PermissionDenied):
            workflow.sign_out(case, other, proof(other))


@pytest.mark.parametrize(
    ("read", "rule"),
    [
        (bethesda.Read(adequacy=Adequacy.SATISFACTORY), "R3"),
        (bethesda.Read(adequacy=Adequacy.UNSATISFACTORY), "R3"),
        (
            bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM", "HSIL")),
            "R4",
        ),
    ],
)
def test_r3_r4_a_read_that_breaks_a_rule_is_not_committed(read, rule):
    case = waiting(laboratory())
    screener = make.cytotechnologist(laboratory=case.laboratory)
    workflow.claim(case, screener)
    find(case, screener)

    with pytest.raises(Refused, match=rule):
        workflow.commit(case, screener, read)

    case.refresh_from_db()
    assert case.status == Status.SCREENING
    assert case.reviews.get().committed_at is None


def test_r3_with_an_abnormal_cell_no_read_calls_the_specimen_unsatisfactory():
    case = waiting(laboratory())
    screener = make.cytotechnologist(laboratory=case.laboratory)
    workflow.claim(case, screener)
    find(case, screener, "Dyskeratotic")

    with pytest.raises(Refused, match="R3"):
        workflow.commit(case, screener, UNSAT)


def test_a_read_is_committed_once_every_cell_was_seen_and_decided():
    case = waiting(laboratory())
    screener = make.cytotechnologist(laboratory=case.laboratory)
    workflow.claim(case, screener)

    with pytest.raises(Refused, match="no finding yet"):
        workflow.commit(case, screener, NILM)


def test_a_pathologist_takes_a_case_that_nobody_screens():
    case = waiting(laboratory())

    referred = workflow.refer(case, make.pathologist(laboratory=case.laboratory))

    assert referred.status == Status.AWAITING_REVIEW


def test_a_newer_answer_of_the_model_does_not_ask_for_a_second_screening():
    case, screener = screened(waiting(laboratory()), ASC_US, cell_class="Koilocytotic")
    workflow.reclassify(case, screener, make.newer_model_version())
    run = case.runs.get(status="pending")
    workflow.begin(run)
    make.prediction(run, case.images.get(), CellClass.PARABASAL)

    assert workflow.record(run).status == Status.AWAITING_REVIEW


# ── What is kept of a read ───────────────────────────────────────────────────────────────────────


def test_r11_every_read_is_kept_with_who_when_and_what():
    case, screener = held(laboratory())
    rescreener = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    find(case, rescreener, "Koilocytotic")
    workflow.commit(case, rescreener, ASC_US)
    pathologist = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, pathologist)
    find(case, pathologist, "Koilocytotic")
    workflow.sign(case, pathologist, ASC_US, proof(pathologist))

    kept = [
        (read.kind, read.reader, read.read["interpretations"])
        for read in queries.shown_reads(case, sight.WHOLE)
    ]

    assert kept == [
        (Kind.SCREENING, screener, ["NILM"]),
        (Kind.RESCREEN, rescreener, ["ASC-US"]),
        (Kind.ADJUDICATION, pathologist, ["ASC-US"]),
    ]
    assert all(read.committed_at for read in case.reviews.all())


def test_r10_a_rescreen_is_a_read_that_counts_one_for_who_did_it():
    case, screener = held(laboratory())
    rescreener = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    find(case, rescreener)
    workflow.commit(case, rescreener, NILM)

    for reader in (screener, rescreener):
        assert Review.objects.filter(reader=reader, committed_at__isnull=False).count() == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cases_review SET committed_read = '{}'",
        "UPDATE cases_review SET committed_at = now()",
        "UPDATE cases_review SET is_blind = NOT is_blind",
        "UPDATE cases_review SET reader_id = reader_id + 1",
        "UPDATE cases_review SET case_id = gen_random_uuid()",
        "UPDATE cases_review SET kind = 'review'",
        "DELETE FROM cases_review",
        "UPDATE cases_rescreendraw SET seed = ''",
        "DELETE FROM cases_rescreendraw",
    ],
)
def test_r5_r11_a_committed_read_and_a_draw_are_locked_by_the_database(change):
    held(laboratory())

    with pytest.raises(DatabaseError, match=r"never|for ever"), transaction.atomic():
        connection.cursor().execute(change)


def test_r11_a_committed_read_is_not_committed_again():
    case, screener = not_drawn(waiting(laboratory()))

    with pytest.raises(InvalidTransition):
        workflow.commit(case, screener, ASC_US)

    assert case.reviews.get().committed_read["interpretations"] == ["NILM"]


# ── Rescreens ────────────────────────────────────────────────────────────────────────────────────


def test_r5_at_least_one_negative_in_ten_is_held_and_the_record_draws_the_same_again():
    here = laboratory()
    screener = make.cytotechnologist(laboratory=here)
    began = timezone.now()
    states = [screened(waiting(here), by=screener)[0].status for _ in range(20)]

    draws = list(RescreenDraw.objects.filter(laboratory=here))
    assert [(draw.series, draw.rank) for draw in draws] == [
        (series, rank) for series in (1, 2) for rank in range(1, 11)
    ]
    assert states.count(Status.AWAITING_RESCREEN) == 2
    for draw in draws:
        assert draw.is_drawn == (draw.rank in policy.drawn(draw.seed, draw.share))
        assert began <= draw.drawn_at <= timezone.now()
    assert len({draw.seed for draw in draws}) == 2


def test_r5_nobody_can_tell_from_the_trail_who_is_drawn_next():
    here = laboratory()
    case, _ = screened(waiting(here))
    seed = RescreenDraw.objects.get().seed

    assert all(seed not in json.dumps(event.detail) for event in case.events.all())


def test_r5_the_database_refuses_a_smaller_share_and_a_place_that_was_drawn_already():
    here = laboratory()
    drawn = [screened(waiting(here))[0].reviews.get() for _ in range(2)]
    [first, _] = RescreenDraw.objects.order_by("rank").values()
    later = waiting(here).reviews.create(reader=drawn[0].reader, kind=Kind.SCREENING)

    for broken in ({"rank": 10, "share": 9}, {"rank": 1}):
        values = first | {"id": None, "review_id": later.pk} | broken
        with pytest.raises(IntegrityError), transaction.atomic():
            RescreenDraw.objects.create(**values)


def test_r5_a_larger_share_is_drawn_from_the_next_read_on():
    here = laboratory()
    screened(waiting(here))
    make.reading(here, rescreen_percent=100)

    case, _ = screened(waiting(here))

    assert case.status == Status.AWAITING_RESCREEN
    assert [(draw.series, draw.rank) for draw in RescreenDraw.objects.all()] == [(1, 1), (2, 1)]


def test_r5_every_higher_risk_patient_is_held_besides():
    case, _ = held(laboratory())

    assert case.status == Status.AWAITING_RESCREEN
    assert RescreenDraw.objects.get().higher_risk == "the patient is flagged higher-risk"
    assert case.reviews.get().why == (
        "A second reader looks first, because the patient is flagged higher-risk (R5)."
    )


@pytest.mark.parametrize(("rule", "is_held"), [("flagged", False), ("history", True)])
def test_r5_an_earlier_abnormal_result_counts_where_the_laboratory_says_so(rule, is_held):
    here = laboratory(higher_risk=rule)
    case = waiting(here)
    earlier = make.case(Status.REVIEWING, by=case.accessioned_by, patient=case.patient, images=1)
    make.finding(earlier, earlier.images.get(), "Koilocytotic")
    workflow.sign(earlier, earlier.reviewer, ASC_US, proof(earlier.reviewer))

    assert bool(queries.higher_risk(case, by_history=rule == "history")) is is_held
    screened(case)
    assert bool(RescreenDraw.objects.get().higher_risk) is is_held


@pytest.mark.parametrize(
    ("signed", "amended", "counts"), [(NILM, ASC_US, True), (ASC_US, NILM, False)]
)
def test_r5_of_an_earlier_case_the_result_in_force_counts(signed, amended, counts):
    case = waiting(laboratory(higher_risk="history"))
    earlier = make.case(Status.SIGNED, by=case.accessioned_by, patient=case.patient)
    make.report(earlier, signed)
    earlier.reviews.update(read=signed.to_json())

    make.next_report(earlier, amended)

    assert bool(queries.higher_risk(case, by_history=True)) is counts


@pytest.mark.parametrize(("read", "whose"), [(NILM, "theirs"), (ASC_US, "another's")])
def test_r5_an_earlier_negative_or_anothers_result_makes_nobody_higher_risk(read, whose):
    here = laboratory(higher_risk="history")
    case = waiting(here)
    patient = {"patient": case.patient} if whose == "theirs" else {}
    earlier = make.case(Status.REVIEWING, by=case.accessioned_by, images=1, **patient)
    make.finding(earlier, earlier.images.get())
    workflow.sign(earlier, earlier.reviewer, read, proof(earlier.reviewer))

    screened(case)

    assert RescreenDraw.objects.get().higher_risk == ""


def test_r5_release_waits_for_the_rescreen():
    case, screener = held(laboratory())

    with pytest.raises(InvalidTransition, match="held for rescreen"):
        workflow.sign_out(case, screener, proof(screener))
    rescreener = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    find(case, rescreener)
    agreed = workflow.commit(case, rescreener, NILM)
    assert (agreed.status, agreed.reviewer) == (Status.AWAITING_SIGNATURE, screener)

    assert workflow.sign_out(agreed, screener, proof(screener)).status == Status.SIGNED
    said = json.loads(case.reports.get().content)
    assert [read["reader"] for read in said["reads"]] == [rescreener.name, screener.name]
    assert said["cells_read_by"]["name"] == screener.name


def test_r6_the_rescreener_is_never_who_screened():
    here = laboratory()
    case = waiting(here)
    case.patient.higher_risk = True
    case.patient.save()
    senior = make.senior(laboratory=here)
    case, _ = screened(case, by=senior)

    with pytest.raises(Refused, match="R6"):
        workflow.claim(case, senior)


def test_r6_the_page_does_not_offer_the_rescreen_to_who_screened(client):
    here = laboratory()
    case = waiting(here)
    case.patient.higher_risk = True
    case.patient.save()
    senior = make.senior(laboratory=here)
    screened(case, by=senior)
    offers = {}

    for person in (senior, make.senior(laboratory=here)):
        client.force_login(person)
        page = client.get(reverse("case-detail", args=[case.pk])).text
        offers[person] = reverse("case-claim", args=[case.pk]) in page

    assert list(offers.values()) == [False, True]


def test_r6_the_database_refuses_a_rescreen_that_is_not_blind():
    case = waiting(laboratory())

    with pytest.raises(IntegrityError, match="rescreen_is_blind"), transaction.atomic():
        case.reviews.create(reader=case.accessioned_by, kind=Kind.RESCREEN, is_blind=False)


def test_r6_nor_is_it_who_began_to_screen_and_gave_it_back():
    here = laboratory()
    case = waiting(here)
    case.patient.higher_risk = True
    case.patient.save()
    senior = make.senior(laboratory=here)
    workflow.claim(case, senior)
    workflow.release(case, senior)
    case, _ = screened(case)

    with pytest.raises(Refused, match="R6"):
        workflow.claim(case, senior)


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (make.pathologist, True),
        (make.senior, True),
        (make.cytotechnologist, False),
        (make.administrator, False),
    ],
)
def test_r6_the_rescreener_is_a_pathologist_or_a_senior_cytotechnologist(who, may):
    case, _ = held(laboratory())
    person = who(laboratory=case.laboratory)

    if may:
        assert workflow.claim(case, person).status == Status.RESCREENING
    else:
        with pytest.raises(PermissionDenied):
            workflow.claim(case, person)


def test_r6_a_rescreener_who_gave_the_case_back_may_take_it_again():
    case, _ = held(laboratory())
    rescreener = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    workflow.release(case, rescreener)

    assert workflow.claim(case, rescreener).status == Status.RESCREENING


def test_r6_a_rescreen_is_blind_also_where_the_laboratory_reads_assisted():
    case, _ = held(laboratory(reading_order="assisted"))
    rescreener = make.pathologist(laboratory=case.laboratory)
    assert sight.of(rescreener, case) == sight.Sight(rescreener.pk, model=False, reads=False)

    case = workflow.claim(case, rescreener)
    assert sight.of(rescreener, case) == sight.Sight(rescreener.pk, model=False, reads=False)
    assert case.reviews.get(reader=rescreener).is_blind
    find(case, rescreener)
    case = workflow.commit(case, rescreener, NILM)

    assert sight.of(rescreener, case) == sight.Sight(rescreener.pk, model=True, reads=True)


def test_r6_where_the_reads_differ_a_pathologist_sees_both_and_signs():
    case, screener = held(laboratory())
    rescreener = make.senior(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    find(case, rescreener, "Koilocytotic")

    disputed = workflow.commit(case, rescreener, ASC_US)

    assert (disputed.status, disputed.reviewer) == (Status.AWAITING_REVIEW, None)
    pathologist = make.pathologist(laboratory=case.laboratory)
    case = workflow.claim(disputed, pathologist)
    assert case.reviews.get(reader=pathologist).kind == Kind.ADJUDICATION
    seen = sight.of(pathologist, case)
    assert [read.reader for read in queries.shown_reads(case, seen)] == [screener, rescreener]
    find(case, pathologist, "Koilocytotic")
    signed = workflow.sign(case, pathologist, ASC_US, proof(pathologist))
    assert (signed.status, signed.reviewer) == (Status.SIGNED, pathologist)


def test_r2_a_rescreen_whose_screener_lost_the_right_to_sign_goes_to_a_pathologist():
    case, _ = held(laboratory())
    make.reading(case.laboratory, cytotechnologists_sign=False)
    rescreener = make.pathologist(laboratory=case.laboratory)
    workflow.claim(case, rescreener)
    find(case, rescreener)

    assert workflow.commit(case, rescreener, NILM).status == Status.AWAITING_REVIEW


# ── Blind first ──────────────────────────────────────────────────────────────────────────────────


def blind_review():
    """A case that a pathologist reads blind first, without screening."""
    here = laboratory(primary_screening=False, reading_order="blind-first")
    case = waiting(here, Status.AWAITING_REVIEW)
    reader = make.pathologist(laboratory=here)
    case = workflow.claim(case, reader)
    find(case, reader)
    return case, reader


def test_r22_the_model_is_revealed_by_the_commit_and_not_before():
    case, reader = blind_review()
    assert sight.of(reader, case).model is False

    case = workflow.commit(case, reader, NILM)

    assert (case.status, sight.of(reader, case).model) == (Status.REVIEWING, True)


def test_r22_nothing_is_signed_before_ones_own_read_is_committed():
    case, reader = blind_review()

    with pytest.raises(Refused, match="R22"):
        workflow.sign(case, reader, NILM, proof(reader))


def test_r22_an_unchanged_read_is_signed_without_a_reason():
    case, reader = blind_review()
    workflow.commit(case, reader, NILM)

    assert workflow.sign(case, reader, NILM, proof(reader)).status == Status.SIGNED


def test_r22_a_change_after_the_reveal_asks_for_a_reason_and_all_three_are_kept():
    case, reader = blind_review()
    workflow.commit(case, reader, NILM)
    [finding] = Finding.objects.all()
    change = Decision(image_id=finding.image_id, cell_class="Koilocytotic", replaces=finding.pk)
    workflow.decide(case, reader, [change])

    with pytest.raises(Refused, match="say why"):
        workflow.sign(case, reader, ASC_US, proof(reader), reason="  ")
    workflow.sign(case, reader, ASC_US, proof(reader), reason="The halo is real.")

    said = json.loads(case.reports.get().content)
    [read] = said["reads"]
    assert (read["order"], read["change_reason"]) == ("blind", "The halo is real.")
    assert read["committed"]["interpretations"] == ["NILM"]
    assert read["final"]["interpretations"] == said["read"]["interpretations"] == ["ASC-US"]
    [cell] = said["cells"]
    assert cell["before_the_model"] == "Parabasal"
    assert cell["finding"] == "Koilocytotic"
    assert cell["model"]["cell_class"] == "Parabasal"


def test_r22_a_finding_that_changed_after_the_reveal_asks_for_a_reason_too():
    case, reader = blind_review()
    workflow.commit(case, reader, NILM)
    [finding] = Finding.objects.all()
    change = Decision(image_id=finding.image_id, cell_class="Metaplastic", replaces=finding.pk)
    workflow.decide(case, reader, [change])

    with pytest.raises(Refused, match="R22"):
        workflow.sign(case, reader, NILM, proof(reader))


def test_r22_a_blind_screening_is_concluded_before_the_policy_speaks():
    case = waiting(laboratory(reading_order="blind-first"))
    case, screener = screened(case)
    assert case.status == Status.SCREENING
    assert case.reviews.get().outcome == ""

    with pytest.raises(Refused, match="R22"):
        workflow.conclude(case, screener, ASC_US)
    case = workflow.conclude(case, screener, ASC_US, "Two cells with a halo.")

    review = case.reviews.get()
    assert case.status == Status.AWAITING_REVIEW
    assert review.committed_read["interpretations"] == ["NILM"]
    assert review.read["interpretations"] == ["ASC-US"]


def test_r22_a_blind_screening_is_not_concluded_before_it_is_committed():
    case = waiting(laboratory(reading_order="blind-first"))
    screener = make.cytotechnologist(laboratory=case.laboratory)
    workflow.claim(case, screener)
    find(case, screener)

    with pytest.raises(InvalidTransition, match="Commit your own read first"):
        workflow.conclude(case, screener, NILM)

    assert case.reviews.get().committed_read is None


def test_r22_a_read_that_began_assisted_stays_so_and_is_named_so():
    here = laboratory(primary_screening=False)
    case = waiting(here, Status.AWAITING_REVIEW)
    reader = make.pathologist(laboratory=here)
    case = workflow.claim(case, reader)

    make.reading(here, reading_order="blind-first")

    assert sight.of(reader, case).model is True
    other = make.pathologist(laboratory=here)
    assert sight.of(other, case).model is False


def test_r22_a_read_that_began_blind_stays_blind_until_it_is_committed():
    case, reader = blind_review()

    make.reading(case.laboratory, reading_order="assisted")

    assert sight.of(reader, case).model is False


def test_r23_whatever_the_model_says_a_read_goes_the_same_way():
    states = set()
    for cell_class in CellClass:
        case = waiting(laboratory(rescreen_percent=100))
        Prediction.objects.filter(image__case=case).update(
            cell_class=cell_class, prediction_set=[cell_class]
        )
        states.add(screened(case)[0].status)

    assert states == {Status.AWAITING_RESCREEN}


def test_r23_the_model_fills_in_no_read():
    case = waiting(laboratory())
    screener = make.cytotechnologist(laboratory=case.laboratory)

    case = workflow.claim(case, screener)

    review = case.reviews.get()
    assert (review.committed_read, review.read, review.findings.count()) == (None, None, 0)


# ── Who holds the case ───────────────────────────────────────────────────────────────────────────


def test_a_screener_who_has_gone_loses_the_case_to_the_screeners():
    case = waiting(laboratory())
    workflow.claim(case, make.cytotechnologist(laboratory=case.laboratory))
    Case.objects.filter(pk=case.pk).update(held_until=timezone.now() - timedelta(seconds=1))

    workflow.expire_idle()

    case.refresh_from_db()
    assert (case.status, case.holder) == (Status.AWAITING_SCREENING, None)
