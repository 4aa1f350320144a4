"""The table of verbs and states, and who may call which verb."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from cases import bethesda, clock, workflow
from cases.models import AuditEvent, Case
from cases.workflow import InvalidTransition
from tests import make
from tests.at_once import at_once
from tests.make import proof

Status = Case.Status
NILM = bethesda.Read(adequacy=bethesda.Adequacy.SATISFACTORY, interpretations=("NILM",))

pytestmark = pytest.mark.django_db


VERBS = {
    "revise": (
        Status.DRAFT,
        lambda case, user: workflow.revise(
            case, user, workflow.Accession(record_number="P-9", specimen_type="LBC")
        ),
    ),
    "add_image": (
        Status.DRAFT,
        lambda case, user: workflow.add_image(case, user, "a.png", make.cell_picture()),
    ),
    "remove_image": (
        Status.DRAFT,
        lambda case, user: workflow.remove_image(case, user, case.images.first().pk),
    ),
    "submit": (
        Status.DRAFT,
        lambda case, user: workflow.submit(case, user, make.model_version()),
    ),
    "retry": (Status.FAILED, lambda case, user: workflow.retry(case, user, make.model_version())),
    "reclassify": (
        Status.AWAITING_REVIEW,
        lambda case, user: workflow.reclassify(case, user, make.newer_model_version()),
    ),
    "claim": (Status.AWAITING_REVIEW, workflow.claim),
    "release": (Status.REVIEWING, workflow.release),
    "heartbeat": (Status.REVIEWING, workflow.heartbeat),
    "hand_over": (
        Status.REVIEWING,
        lambda case, user: workflow.hand_over(
            case, user, make.pathologist(laboratory=case.laboratory)
        ),
    ),
    "send_back": (
        Status.REVIEWING,
        lambda case, user: workflow.send_back(case, user, "Mend it."),
    ),
    "decide": (
        Status.REVIEWING,
        lambda case, user: workflow.decide(
            case,
            user,
            [workflow.Decision(image_id=case.images.first().pk, cell_class="Parabasal")],
        ),
    ),
    "display": (
        Status.REVIEWING,
        lambda case, user: workflow.display(case, user, [case.images.first().pk]),
    ),
    "sign": (Status.REVIEWING, lambda case, user: workflow.sign(case, user, NILM, proof(user))),
    "commit": (Status.SCREENING, lambda case, user: workflow.commit(case, user, NILM)),
    "conclude": (Status.SCREENING, lambda case, user: workflow.conclude(case, user, NILM)),
    "refer": (Status.AWAITING_SIGNATURE, workflow.refer),
    "sign_out": (
        Status.AWAITING_SIGNATURE,
        lambda case, user: workflow.sign_out(case, user, proof(user)),
    ),
}
ALSO_FROM = {
    "claim": {Status.AWAITING_SCREENING, Status.AWAITING_RESCREEN},
    "commit": {Status.RESCREENING, Status.REVIEWING},
    "decide": {Status.SCREENING, Status.RESCREENING},
    "display": {Status.SCREENING, Status.RESCREENING},
    "hand_over": {Status.SCREENING, Status.RESCREENING},
    "heartbeat": {Status.SCREENING, Status.RESCREENING},
    "reclassify": {Status.AWAITING_SCREENING},
    "send_back": {Status.SCREENING},
    "refer": {Status.AWAITING_SCREENING},
    "release": {Status.SCREENING, Status.RESCREENING},
}
OF_CYTOTECHNOLOGISTS = {
    *("revise", "add_image", "remove_image", "submit", "retry"),
    *("commit", "conclude", "refer", "sign_out"),
}
READ_FIRST = {"sign", "commit", "conclude", "sign_out"}
REFUSED = [
    (verb, state)
    for verb, (source, _) in VERBS.items()
    for state in Status
    if state not in {source, *ALSO_FROM.get(verb, ())}
]


def actors(laboratory):
    return make.cytotechnologist(laboratory=laboratory), make.pathologist(laboratory=laboratory)


def ready_case(verb, state, cytotechnologist, pathologist):
    screens = state in (Status.SCREENING, Status.AWAITING_SIGNATURE)
    reader = cytotechnologist if screens else pathologist
    case = make.case(state, by=cytotechnologist, reviewer=reader, images=1)
    if verb in READ_FIRST and state == VERBS[verb][0]:
        make.finding(case, case.images.get())
    if verb == "conclude" and state == Status.SCREENING:
        make.committed(case, NILM, is_blind=True)
    if verb == "sign_out" and state == Status.AWAITING_SIGNATURE:
        make.reading(case.laboratory, cytotechnologists_sign=True)
    return case


@pytest.mark.parametrize(("verb", "state"), REFUSED)
def test_r19_a_verb_from_any_other_state_changes_nothing(verb, state):
    cytotechnologist, pathologist = actors(make.laboratory())
    case = ready_case(verb, state, cytotechnologist, pathologist)
    actor = cytotechnologist if verb in OF_CYTOTECHNOLOGISTS else pathologist

    with pytest.raises(InvalidTransition, match="Cannot"):
        VERBS[verb][1](case, actor)

    case.refresh_from_db()
    assert case.status == state
    assert case.images.count() == 1
    assert not AuditEvent.objects.exists()


def people(laboratory):
    """Everyone who must be refused, by what they are."""
    return {
        "administrator": make.administrator(laboratory=laboratory),
        "another cytotechnologist": make.cytotechnologist(laboratory=laboratory),
        "another pathologist": make.pathologist(laboratory=laboratory),
        "cytotechnologist of another laboratory": make.cytotechnologist(),
        "pathologist of another laboratory": make.pathologist(),
    }


ALLOWED_BESIDE_THE_HOLDER = {
    ("retry", "another cytotechnologist"),
    ("claim", "another pathologist"),
    ("reclassify", "another pathologist"),
    ("reclassify", "another cytotechnologist"),
    ("reclassify", "the other role"),
    ("refer", "the other role"),
    ("refer", "another pathologist"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_r19_a_verb_is_done_by_those_whose_it_is_and_refused_to_all_others(verb):
    laboratory = make.laboratory()
    cytotechnologist, pathologist = actors(laboratory)
    state, call = VERBS[verb]
    case = ready_case(verb, state, cytotechnologist, pathologist)
    holder = cytotechnologist if verb in OF_CYTOTECHNOLOGISTS else pathologist
    other = pathologist if verb in OF_CYTOTECHNOLOGISTS else cytotechnologist

    refused = set()
    for who, person in {**people(laboratory), "the other role": other}.items():
        try:
            with transaction.atomic():
                call(case, person)
                transaction.set_rollback(True)
        except PermissionDenied:
            refused.add(who)
    before = list(AuditEvent.objects.all())
    call(case, holder)

    expected = {*people(make.laboratory()), "the other role"}
    assert refused == {who for who in expected if (verb, who) not in ALLOWED_BESIDE_THE_HOLDER}
    assert before == []
    recorded = [event.action for event in AuditEvent.objects.all()]
    assert recorded == ([] if verb == "heartbeat" else [verb])


@pytest.mark.django_db(transaction=True)
def test_of_two_pathologists_claiming_at_once_exactly_one_gets_the_case():
    laboratory = make.laboratory()
    case = make.case(Status.AWAITING_REVIEW, by=make.cytotechnologist(laboratory=laboratory))
    people = [make.pathologist(laboratory=laboratory) for _ in range(2)]

    outcomes = at_once(
        [lambda person=person: workflow.claim(case, person) for person in people],
        (InvalidTransition,),
    )

    assert sorted(outcomes) == ["InvalidTransition", "done"]
    assert case.events.count() == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"status": Status.SIGNED},
        {"status": Status.REVIEWING, "reviewer": None},
        {"status": Status.QUEUED, "submitted_at": None},
        {"signed_at": clock.now()},
        {"accession_number": ""},
    ],
)
def test_the_database_refuses_a_case_that_cannot_be(broken):
    case = make.case()

    with pytest.raises(IntegrityError), transaction.atomic():
        Case.objects.filter(pk=case.pk).update(**broken)
