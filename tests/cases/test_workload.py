"""Who read what (R11), and how much a person may read (R9, R10)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import AccountEvent
from cases import clock, workflow, workload
from cases.models import Case, ReadingSettings, Review, WorkloadLimit
from cases.workflow import Refused
from tests import make
from tests.at_once import at_once

Status = Case.Status
NILM = {"adequacy": "SAT", "interpretations": ["NILM"]}

pytestmark = pytest.mark.django_db


def reads(reader, number, *, ago=timedelta(hours=1), kind=Review.Kind.REVIEW, committed=True):
    """So many reads of this person, each of a case of its own."""
    case = make.case(Status.AWAITING_REVIEW, by=make.cytotechnologist(laboratory=reader.laboratory))
    moment = clock.now() - ago
    same = {"laboratory": case.laboratory, "patient": case.patient, "specimen_type": "LBC"}
    same |= {"accessioned_by": case.accessioned_by, "due_at": moment, "submitted_at": moment}
    same |= {"status": Status.AWAITING_REVIEW}
    taken = Case.objects.count()
    cases = Case.objects.bulk_create(
        Case(accession_number=f"W-{taken + n}", **same) for n in range(number)
    )
    Review.objects.bulk_create(
        Review(
            case=one,
            reader=reader,
            kind=kind,
            is_blind=kind == Review.Kind.RESCREEN,
            started_at=moment,
            ended_at=moment,
            committed_at=moment if committed else None,
            committed_read=NILM if committed else None,
        )
        for one in cases
    )


def waiting_case(reader):
    by = make.cytotechnologist(laboratory=reader.laboratory)
    return make.case(Status.AWAITING_REVIEW, by=by)


@pytest.mark.parametrize(
    ("hours", "slides"),
    [(8, 100), (4, 50), (1, 12), (Decimal("7.5"), 93), (12, 100), (0, 0)],
)
def test_r9_the_ceiling_is_a_hundred_in_eight_hours_and_fewer_in_fewer(hours, slides):
    assert workload.ceiling(hours) == slides


def test_r9_the_hundred_and_first_read_of_a_day_is_refused_with_a_sentence():
    reader = make.pathologist()
    reads(reader, 100, ago=timedelta(hours=23))
    case = waiting_case(reader)

    with pytest.raises(Refused, match=rf"{reader.name} has read 100 slides in 24 hours.*\(R9\)"):
        workflow.claim(case, reader)

    case.refresh_from_db()
    assert (case.status, case.reviewer) == (Status.AWAITING_REVIEW, None)
    with clock.at(clock.now() + timedelta(hours=2)):
        assert workflow.claim(case, reader).holder == reader


@pytest.mark.django_db(transaction=True)
def test_r9_of_two_reads_begun_at_once_the_hundred_and_first_is_refused():
    reader = make.pathologist()
    reads(reader, 99)
    cases = [waiting_case(reader) for _ in range(2)]

    outcomes = at_once(
        [lambda case=case: workflow.claim(case, reader) for case in cases], (Refused,)
    )

    assert sorted(outcomes) == ["Refused", "done"]


def test_r9_the_sentence_names_the_moment_at_which_a_read_can_begin():
    reader = make.pathologist()
    for hours in (20, 10, 5):
        reads(reader, 1, ago=timedelta(hours=hours))
    workload.set_limit(reader, reader, hours=Decimal(4), slides=2)
    case = waiting_case(reader)

    free = workload.free_again_at(workload.counted(reader), slides=2)

    with clock.at(free - timedelta(minutes=1)), pytest.raises(Refused, match="R9"):
        workflow.claim(case, reader)
    with clock.at(free + timedelta(minutes=1)):
        assert workflow.claim(case, reader).holder == reader


def test_r9_who_may_read_nothing_is_told_who_can_change_that():
    reader = make.pathologist()
    workload.set_limit(reader, reader, hours=Decimal(8), slides=0)

    with pytest.raises(Refused, match=r"0 slides.*: a pathologist can set another limit \(R9\)"):
        workflow.claim(waiting_case(reader), reader)


def test_r9_what_is_in_hand_for_days_names_no_moment_that_is_past():
    reader = make.cytotechnologist()
    in_hand = make.case(Status.AWAITING_SIGNATURE, reviewer=reader)
    assert in_hand.reviews.get().committed_at is not None

    with clock.at(clock.now() + timedelta(days=3)):
        assert workload.free_again_at(workload.counted(reader), slides=1) is None


def test_r9_a_personal_limit_is_lower_and_set_by_a_pathologist():
    reader = make.pathologist()
    workload.set_limit(reader, reader, hours=Decimal(4), slides=2)
    reads(reader, 2)

    with pytest.raises(Refused, match=r"2 slides in 24 hours.*R9"):
        workflow.claim(waiting_case(reader), reader)
    for nobody in (
        make.administrator(laboratory=reader.laboratory),
        make.cytotechnologist(laboratory=reader.laboratory),
        make.pathologist(),
    ):
        with pytest.raises(PermissionDenied):
            workload.set_limit(reader, nobody, hours=Decimal(8), slides=90)


def test_r9_no_limit_is_above_the_ceiling_of_its_hours():
    reader = make.pathologist()

    with pytest.raises(workload.InvalidLimit, match="at most 50 slides"):
        workload.set_limit(reader, reader, hours=Decimal(4), slides=51)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkloadLimit.objects.create(person=reader, hours=4, slides=51, set_by=reader)


def test_r9_a_limit_is_to_be_reassessed_after_six_months_and_holds_until_then(client):
    reader = make.pathologist()
    with clock.at(clock.now() - timedelta(days=190)):
        workload.set_limit(reader, reader, hours=Decimal(8), slides=60)
    client.force_login(reader)

    assert workload.of(reader).slides == 60
    assert workload.of(reader).is_to_be_reassessed
    assert "To be reassessed" in client.get(reverse("reads", args=[reader.pk])).content.decode()
    client.post(reverse("reads-workload", args=[reader.pk]), {"hours": "8", "slides": "60"})
    assert not workload.of(reader).is_to_be_reassessed
    assert WorkloadLimit.objects.count() == 2
    assert AccountEvent.objects.filter(action="workload-set").count() == 2


def test_r9_a_case_is_not_handed_to_somebody_who_has_read_enough():
    case = make.case(Status.REVIEWING)
    colleague = make.pathologist(laboratory=case.laboratory)
    workload.set_limit(colleague, case.reviewer, hours=Decimal(8), slides=0)

    with pytest.raises(Refused, match="R9"):
        workflow.hand_over(case, case.reviewer, colleague)


def test_r10_a_slide_counts_one_rescreens_included_and_one_given_back_does_not():
    reader = make.pathologist()
    reads(reader, 1, kind=Review.Kind.REVIEW)
    reads(reader, 1, kind=Review.Kind.RESCREEN)
    reads(reader, 1, committed=False)
    reads(reader, 1, ago=timedelta(hours=25))

    assert workload.counted(reader).count() == 2
    workflow.claim(waiting_case(reader), reader)
    assert workload.counted(reader).count() == 3


def test_r10_who_comes_back_to_a_case_begins_no_new_read():
    reader = make.pathologist()
    workload.set_limit(reader, reader, hours=Decimal(8), slides=1)
    case = waiting_case(reader)
    workflow.claim(case, reader)
    make.committed(case, make.NILM)
    workflow.release(case, reader)

    assert workload.counted(reader).count() == 1
    assert workflow.claim(case, reader).holder == reader


def test_r11_who_read_what_when_and_with_which_result_is_shown_per_person(client):
    reader = make.pathologist()
    reads(reader, 1)
    person = make.cytotechnologist(laboratory=reader.laboratory)
    reads(person, 1, kind=Review.Kind.SCREENING)
    address = reverse("reads", args=[reader.pk])

    pages = {}
    for who in (reader, make.administrator(laboratory=reader.laboratory), person):
        client.force_login(who)
        pages[who] = client.get(address)

    own, administrators, others = pages.values()
    read, another = Review.objects.get(reader=reader), Review.objects.get(reader=person)
    for page in (own, administrators):
        text = page.content.decode()
        assert another.case.accession_number not in text
        assert read.case.accession_number in text
        assert read.committed_at.strftime("%H:%M") in text
        assert ">NILM</td>" in text
    assert others.status_code == 403
    client.force_login(person)
    assert client.get(reverse("reads", args=[person.pk])).status_code == 200


def test_r11_the_page_keeps_a_later_reader_blind_to_the_first_result(client):
    screener = make.cytotechnologist()
    reads(screener, 1, kind=Review.Kind.SCREENING)
    ReadingSettings.objects.create(laboratory=screener.laboratory, primary_screening=True)
    Case.objects.filter(accession_number__startswith="W-").update(status=Status.AWAITING_RESCREEN)
    address = reverse("reads", args=[screener.pk])

    client.force_login(make.pathologist(laboratory=screener.laboratory))
    hidden = client.get(address).content.decode()
    client.force_login(screener)
    shown = client.get(address).content.decode()

    assert ">NILM</td>" not in hidden
    assert "shown once nobody can come to read the case blind" in hidden
    assert ">NILM</td>" in shown


def test_r9_the_limit_is_never_shown_as_a_target(client):
    reader = make.pathologist()
    reads(reader, 3)
    client.force_login(reader)

    for name in ("worklist", "readers"):
        page = client.get(reverse(name)).content.decode()
        assert "of 100" not in page
        assert "<progress" not in page
    page = client.get(reverse("reads", args=[reader.pk])).content.decode()
    assert "It is no target" in page
    assert "<progress" not in page


def test_a_limit_above_the_ceiling_is_said_beside_what_was_typed(client):
    reader = make.pathologist()
    client.force_login(reader)

    page = client.post(
        reverse("reads-workload", args=[reader.pk]), {"hours": "2", "slides": "80"}
    ).content.decode()

    assert "2 hours of reading allow at most 25 slides" in page
    assert 'value="80"' in page
