"""After the signature: look-backs (R7) and histology beside cytology (R8)."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from cases import bethesda, clock, workflow
from cases.bethesda import Adequacy
from cases.correlation import Agreement, HistologyResult, correlate
from cases.models import Case, Histology, Patient, Task
from cases.signature import Change
from cases.workflow import InvalidTransition, LookBack, Refused, Tissue
from tests import make
from tests.make import proof

Status = Case.Status

pytestmark = pytest.mark.django_db


def said(*interpretations):
    return bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=interpretations)


UNSATISFACTORY = bethesda.Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD",))


def signed_case(reader, read, *, patient=None, ago=timedelta()):
    """A case of this patient, signed with this read some time ago."""
    with clock.at(clock.now() - ago):
        fields = {"patient": patient} if patient else {}
        case = make.case(Status.REVIEWING, reviewer=reader, images=1, **fields)
        make.finding(case, case.images.get())
        return workflow.sign(case, reader, read, proof(reader))


@pytest.fixture
def reader():
    return make.pathologist()


@pytest.fixture
def patient(reader):
    return Patient.objects.create(laboratory=reader.laboratory, record_number="P-777")


def years(number):
    return timedelta(days=365 * number)


GRAVE = {"HSIL", "HSIL-INV", "SCC", "AIS", "ADC-EC", "ADC-EM", "ADC-EXT", "ADC-NOS", "MAL-OTHER"}


@pytest.mark.parametrize("code", bethesda.INTERPRETATIONS)
def test_r7_hsil_adenocarcinoma_and_every_other_malignancy_call_for_a_look_back(code):
    assert bethesda.calls_for_look_back(said(code)) is (code in GRAVE)


@pytest.mark.parametrize("grave", ["HSIL", "MAL-OTHER"])
def test_r7_a_grave_result_lists_the_patients_negative_cases_of_five_years(reader, patient, grave):
    negative = signed_case(reader, said("NILM"), patient=patient, ago=years(4))
    signed_case(reader, said("NILM"), patient=patient, ago=years(6))
    signed_case(reader, said("LSIL"), patient=patient, ago=years(2))
    signed_case(reader, UNSATISFACTORY, patient=patient, ago=years(1))
    signed_case(reader, said("NILM"), ago=years(1))  # of another patient

    trigger = signed_case(reader, said(grave), patient=patient)

    task = Task.objects.get()
    assert (task.case, task.trigger, task.done_at) == (negative, trigger, None)
    event = negative.events.get(action="ask_look_back")
    assert event.detail == {"trigger": trigger.accession_number, "result": grave}


def test_r7_a_milder_result_lists_nothing(reader, patient):
    signed_case(reader, said("NILM"), patient=patient, ago=years(1))

    signed_case(reader, said("ASC-H"), patient=patient)

    assert not Task.objects.exists()


def test_r7_the_report_in_force_says_whether_an_earlier_case_was_negative(reader, patient):
    found, overcalled = (
        signed_case(reader, said(first), patient=patient, ago=years(1))
        for first in ("NILM", "LSIL")
    )
    change = Change(supersedes=1, reason="Read again.", affects_care=False)
    workflow.amend(found, reader, change, said("LSIL"), proof(reader))
    workflow.amend(overcalled, reader, change, said("NILM"), proof(reader))

    signed_case(reader, said("HSIL"), patient=patient)

    assert Task.objects.get().case == overcalled


def test_r7_an_amendment_to_a_grave_result_lists_them_too_and_once(reader, patient):
    negative = signed_case(reader, said("NILM"), patient=patient, ago=years(1))
    trigger = signed_case(reader, said("LSIL"), patient=patient)

    for version, read in ((1, said("HSIL")), (2, said("HSIL", "LSIL"))):
        change = Change(supersedes=version, reason="Read again.", affects_care=False)
        workflow.amend(trigger, reader, change, read, proof(reader))

    assert Task.objects.get().case == negative


@pytest.fixture
def task(reader, patient):
    signed_case(reader, said("NILM"), patient=patient, ago=years(1))
    signed_case(reader, said("HSIL"), patient=patient)
    return Task.objects.get()


TOLD = {"notified": "Dr. Ng, by telephone", "notified_at": timezone.now() - timedelta(hours=1)}


def test_r7_a_discrepancy_that_affects_care_names_who_was_notified_and_asks_for_an_amendment(
    client, reader, task
):
    wrong = LookBack(result="affects_care", note="Small dark cells were overlooked.")
    with pytest.raises(Refused, match=r"notified first.*R7"):
        workflow.look_back(task, reader, wrong)

    answered = workflow.look_back(
        task, reader, LookBack(result=wrong.result, note=wrong.note, **TOLD)
    )

    assert (answered.done_by, answered.notified) == (reader, "Dr. Ng, by telephone")
    assert task.case.events.last().detail["notified"] == "Dr. Ng, by telephone"
    client.force_login(reader)
    address = reverse("look-back", args=[task.pk])
    assert reverse("case-amend", args=[task.case_id]) in client.get(address).content.decode()
    assert task in client.get(reverse("look-backs"), {"state": "to-amend"}).context["page"]
    change = Change(supersedes=1, reason="Look-back.", affects_care=True, **TOLD)
    workflow.amend(task.case, reader, change, said("HSIL"), proof(reader))
    assert "Amended</span>" in client.get(address).content.decode()
    assert not client.get(reverse("look-backs"), {"state": "to-amend"}).context["page"]


def test_r7_a_look_back_is_answered_once(reader, task):
    workflow.look_back(task, reader, LookBack(result="confirmed"))

    with pytest.raises(InvalidTransition, match=f"{reader.name} has answered"):
        workflow.look_back(task, reader, LookBack(result="discrepancy", note="Not so sure."))

    task.refresh_from_db()
    assert task.result == "confirmed"


@pytest.mark.parametrize(
    "answer",
    [
        LookBack(result="made-up"),
        LookBack(result="discrepancy"),
        LookBack(result="discrepancy", note="nul\0"),
        LookBack(result="discrepancy", note="x" * 2001),
        LookBack(
            result="affects_care",
            note="Overlooked.",
            notified="Dr. Ng",
            notified_at=timezone.now() + timedelta(days=1),
        ),
    ],
)
def test_an_answer_that_says_too_little_or_cannot_be_is_refused(reader, task, answer):
    with pytest.raises(Refused):
        workflow.look_back(task, reader, answer)

    task.refresh_from_db()
    assert task.done_at is None


def test_r7_only_a_pathologist_of_the_laboratory_answers_a_look_back(task):
    laboratory = task.case.laboratory
    people = [
        make.cytotechnologist(laboratory=laboratory),
        make.administrator(laboratory=laboratory),
        make.pathologist(),
    ]

    for person in people:
        with pytest.raises(PermissionDenied):
            workflow.look_back(task, person, LookBack(result="confirmed"))


def test_r7_the_database_refuses_an_answer_without_its_facts(task):
    done = {"done_at": clock.now(), "done_by": task.trigger.reviewer}
    told = {"notified": "Dr. Ng", "notified_at": clock.now()}
    for broken in (
        {"result": "confirmed"},
        {"done_at": clock.now()},
        done | {"result": "affects_care"},
        done | {"result": "affects_care"} | told | {"notified": ""},
        done | {"result": "affects_care"} | told | {"notified_at": None},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Task.objects.filter(pk=task.pk).update(**broken)


@pytest.mark.parametrize(
    ("read", "tissue", "agreement", "steps"),
    [
        (said("NILM"), "BENIGN", Agreement.AGREES, 0),
        (said("HSIL"), "HSIL", Agreement.AGREES, 0),
        (said("ASC-US"), "LSIL", Agreement.AGREES, 0),
        (said("LSIL"), "HSIL", Agreement.STEP, 1),
        (said("LSIL"), "BENIGN", Agreement.STEP, 1),
        (said("LSIL"), "SCC", Agreement.STEP, 2),
        (said("NILM"), "LSIL", Agreement.STEP, 1),
        (said("NILM"), "HSIL", Agreement.MAJOR, 2),
        (said("NILM"), "ADC", Agreement.MAJOR, 3),
        (said("HSIL"), "BENIGN", Agreement.MAJOR, 2),
        (said("LSIL", "AIS"), "AIS", Agreement.AGREES, 0),
        (said("HSIL"), "INSUFFICIENT", Agreement.NONE, 0),
        (UNSATISFACTORY, "HSIL", Agreement.NONE, 0),
    ],
)
def test_r8_steps_between_cytology_and_histology(read, tissue, agreement, steps):
    found = correlate(read, HistologyResult(tissue))

    assert (found.agreement, found.steps) == (agreement, steps)


def test_r8_every_interpretation_has_its_step():
    for code in bethesda.INTERPRETATIONS:
        assert correlate(said(code), HistologyResult.BENIGN).agreement != Agreement.NONE


def tissue(**fields):
    today = clock.now().date()
    return Tissue(**({"source": "biopsy", "reported_on": today, "result": "HSIL"} | fields))


def test_r8_a_result_is_recorded_beside_a_signed_case_with_the_cause_of_a_difference(
    client, reader
):
    case = signed_case(reader, said("NILM"))
    with pytest.raises(Refused, match=r"Major step difference.*R8"):
        workflow.record_histology(case, reader, tissue())

    made = workflow.record_histology(case, reader, tissue(cause="interpretive", note="Read again."))

    assert (made.agreement, made.steps, made.cause) == ("major", 2, "interpretive")
    assert made.cytology["interpretations"] == ["NILM"]
    assert case.events.last().detail == {
        "result": "HSIL",
        "agreement": "major",
        "cause": "interpretive",
    }
    client.force_login(reader)
    for address in (reverse("case-detail", args=[case.pk]), reverse("histologies")):
        page = client.get(address).content.decode()
        assert "Major step difference: 2 steps" in page
        assert "Interpretive: the cells were seen and named otherwise" in page


def test_r8_tissue_is_compared_with_the_report_in_force(reader):
    case = signed_case(reader, said("NILM"))
    change = Change(supersedes=1, reason="Read again.", affects_care=False)
    workflow.amend(case, reader, change, said("HSIL"), proof(reader))

    made = workflow.record_histology(case, reader, tissue())

    assert (made.agreement, made.cytology["interpretations"]) == ("agrees", ["HSIL"])


def test_r8_the_database_refuses_a_difference_without_its_cause_and_a_cause_without_one(reader):
    case = signed_case(reader, said("NILM"))
    workflow.record_histology(case, reader, tissue(cause="sampling"))

    for broken in ({"cause": ""}, {"agreement": "agrees"}):
        with pytest.raises(IntegrityError, match="has_a_cause"), transaction.atomic():
            Histology.objects.update(**broken)


def test_r8_only_a_pathologist_of_the_laboratory_records_histology(reader):
    case = signed_case(reader, said("HSIL"))
    people = [case.accessioned_by, make.administrator(laboratory=reader.laboratory)]

    for person in (*people, make.pathologist()):
        with pytest.raises(PermissionDenied):
            workflow.record_histology(case, person, tissue())

    assert not Histology.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"result": "BENIGN", "cause": "sampling"},
        {"reported_on": clock.now().date() + timedelta(days=2), "cause": "sampling"},
    ],
)
def test_r8_histology_that_cannot_be_is_refused(reader, given):
    case = signed_case(reader, said("NILM"))

    with pytest.raises(Refused):
        workflow.record_histology(case, reader, tissue(**given))

    assert not Histology.objects.exists()


def test_r8_histology_waits_for_the_signature():
    case = make.case(Status.REVIEWING, images=1)

    with pytest.raises(InvalidTransition):
        workflow.record_histology(case, case.reviewer, tissue(cause="sampling"))


def test_the_pages_show_the_look_back_and_keep_what_was_typed(client, reader, task):
    client.force_login(reader)
    address = reverse("look-back", args=[task.pk])

    listed = client.get(reverse("look-backs")).content.decode()
    on_case = client.get(reverse("case-detail", args=[task.case_id])).content.decode()
    on_trigger = client.get(reverse("case-detail", args=[task.trigger_id])).content.decode()
    refused = client.post(address, {"result": "discrepancy", "note": "", "notified": "Dr. Ng"})
    client.post(address, {"result": "confirmed"})

    assert all(address in page for page in (listed, on_case, on_trigger))
    assert "Say what the discrepancy is." in refused.content.decode()
    assert 'value="Dr. Ng"' in refused.content.decode()
    task.refresh_from_db()
    assert task.result == "confirmed"
