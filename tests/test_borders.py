"""Every address of the site and the API, asked by everyone: who gets it, who is refused, and how.

A row gives the answers to an anonymous visitor, to each role of the case's laboratory, and to each
role of another one: a status, "in" for the way to the log-in page, "to" for another redirect.
"""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from accounts import people as accounts_people
from accounts.models import Factor
from accounts.tokens import make_token
from cases.models import Case, Task
from tests import make
from tests.make_accounts import PASSWORD

Status = Case.Status
ROLES = ("cytotechnologist", "pathologist", "administrator")

pytestmark = pytest.mark.django_db


ACTORS = ("anonymous", *ROLES, *(f"foreign {role}" for role in ROLES))


class World:
    """Two laboratories, and a case, a person, an invitation and a token to ask for."""

    def __init__(self, state):
        self.laboratory = make.laboratory()
        self.people = {role: make.user(role, laboratory=self.laboratory) for role in ROLES}
        elsewhere = make.laboratory()
        self.people |= {f"foreign {role}": make.user(role, laboratory=elsewhere) for role in ROLES}
        administrator = self.people["administrator"]
        make.model_version()
        self.case = make.case(
            state,
            by=self.people["cytotechnologist"],
            reviewer=self.people[
                "cytotechnologist" if state in (SCREENING, TO_SIGN) else "pathologist"
            ],
            images=1,
        )
        if state == Status.SIGNED:
            make.report(self.case)
        self.subject = make.user(laboratory=self.laboratory)
        later = make.case(by=self.people["cytotechnologist"])
        self.task = Task.objects.create(case=self.case, trigger=later)
        issued = accounts_people.invite(
            administrator, email="new@example.org", name="New", role="pathologist"
        )
        token, _ = make_token(self.people["cytotechnologist"], "a program")
        factor = Factor.objects.create(
            user=administrator, kind="code", name="Phone", sealed="sealed"
        )
        self.named = {
            "case_id": self.case.pk,
            "image_id": self.case.images.get().pk,
            "task_id": self.task.pk,
            "person_id": self.subject.pk,
            "slug": "parabasal",
            "version": 1,
            "secret": issued.secret,
            "uidb64": "MQ",
            "token": "expired",
        }
        self.numbers = {
            "invitation": issued.invitation.pk,
            "token": token.pk,
            "factor": factor.pk,
            "user": self.subject.pk,
        }

    def address(self, name):
        pattern = PATTERNS[name]
        kind = name.split("-")[0]
        values = self.named | {"pk": self.numbers.get(kind)}
        names = [part.split(":")[-1] for part in pattern.replace(">", "<").split("<")[1::2]]
        return reverse(name, kwargs={key: values[key] for key in names})


DISCLAIMER = "Research and education only, not for diagnosis."
DRAFT, FAILED, SCREENING, TO_SIGN, WAITING, READING, SIGNED = (
    "draft",
    "failed",
    "screening",
    "awaiting_signature",
    "awaiting_review",
    "reviewing",
    "signed",
)
EVERYONE = "200 200 200 200 200 200 200"
MEMBERS = "in 200 200 200 200 200 200"
ADMINISTRATORS = "in 403 403 200 403 403 200"
THE_LABORATORY = "in 200 200 200 404 404 404"
# name and method: the state of the case, the answers
ANSWERS = {
    "home GET": (DRAFT, "200 to to to to to to"),
    "education GET": (DRAFT, EVERYONE),
    "lesson GET": (DRAFT, EVERYONE),
    "lesson-summary GET": (DRAFT, EVERYONE),
    "model-card GET": (DRAFT, EVERYONE),
    "login GET": (DRAFT, "200 to to to to to to"),
    "login POST": (DRAFT, "200 to to to to to to"),
    "login-factor GET": (DRAFT, "in in in in in in in"),
    "login-factor POST": (DRAFT, "in in in in in in in"),
    "passkey-challenge POST": (DRAFT, "403 200 200 200 200 200 200"),
    "logout POST": (DRAFT, "in in in in in in in"),
    "invitation-accept GET": (DRAFT, EVERYONE),
    "invitation-accept POST": (DRAFT, EVERYONE),
    "password-change GET": (DRAFT, MEMBERS),
    "password-change POST": (DRAFT, MEMBERS),
    "password-reset GET": (DRAFT, EVERYONE),
    "password-reset POST": (DRAFT, EVERYONE),
    "password-reset-sent GET": (DRAFT, EVERYONE),
    "password-reset-confirm GET": (DRAFT, EVERYONE),
    "password-reset-confirm POST": (DRAFT, EVERYONE),
    "profile GET": (DRAFT, MEMBERS),
    "token-make POST": (DRAFT, MEMBERS),
    "token-revoke POST": (DRAFT, "in to 404 404 404 404 404"),
    "factor-list GET": (DRAFT, MEMBERS),
    "factor-app GET": (DRAFT, MEMBERS),
    "factor-app POST": (DRAFT, MEMBERS),
    "factor-passkey GET": (DRAFT, MEMBERS),
    "factor-passkey POST": (DRAFT, MEMBERS),
    "passkey-offer POST": (DRAFT, MEMBERS),
    "recovery-codes GET": (DRAFT, "in to to 200 to to to"),
    "recovery-codes POST": (DRAFT, "in to to 200 to to to"),
    "factor-remove GET": (DRAFT, "in 404 404 200 404 404 404"),
    "factor-remove POST": (DRAFT, "in 404 404 200 404 404 404"),
    "user-list GET": (DRAFT, ADMINISTRATORS),
    "account-events GET": (DRAFT, ADMINISTRATORS),
    "invitation-make POST": (DRAFT, ADMINISTRATORS),
    "invitation-reissue POST": (DRAFT, "in 403 403 200 403 403 404"),
    "invitation-withdraw POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-detail GET": (DRAFT, "in 403 403 200 403 403 404"),
    "user-role POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-senior POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-deactivate POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-reactivate POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-unlock POST": (DRAFT, "in 403 403 to 403 403 404"),
    "user-reset-link POST": (DRAFT, "in 403 403 200 403 403 404"),
    "user-factors-reset POST": (DRAFT, "in 403 403 to 403 403 404"),
    "laboratory-settings GET": (DRAFT, ADMINISTRATORS),
    "laboratory-settings POST": (DRAFT, ADMINISTRATORS),
    "reading-settings GET": (DRAFT, ADMINISTRATORS),
    "reading-settings POST": (DRAFT, ADMINISTRATORS),
    "records GET": (DRAFT, ADMINISTRATORS),
    "records-check POST": (DRAFT, "in 403 403 to 403 403 to"),
    "dashboard GET": (DRAFT, MEMBERS),
    "look-backs GET": (DRAFT, MEMBERS),
    "look-back GET": (SIGNED, THE_LABORATORY),
    "look-back POST": (SIGNED, "in 403 to 403 404 404 404"),
    "histologies GET": (DRAFT, MEMBERS),
    "case-histology GET": (SIGNED, "in 403 200 403 404 404 404"),
    "case-histology POST": (SIGNED, "in 403 to 403 404 404 404"),
    "readers GET": (DRAFT, "in 403 200 200 403 200 200"),
    "reads GET": (DRAFT, "in 403 200 200 404 404 404"),
    "reads-workload POST": (DRAFT, "in 403 to 403 404 404 404"),
    "worklist GET": (DRAFT, MEMBERS),
    "case-new GET": (DRAFT, "in 200 403 403 200 403 403"),
    "case-new POST": (DRAFT, "in to 403 403 to 403 403"),
    "case-detail GET": (DRAFT, THE_LABORATORY),
    "case-revise GET": (DRAFT, "in 200 403 403 404 404 404"),
    "case-revise POST": (DRAFT, "in to 403 403 404 404 404"),
    "case-upload POST": (DRAFT, "in to 403 403 404 404 404"),
    "case-submit POST": (DRAFT, "in to 403 403 404 404 404"),
    "case-retry POST": (FAILED, "in to 403 403 404 404 404"),
    "case-reclassify POST": (WAITING, "in to to 403 404 404 404"),
    "case-claim POST": (WAITING, "in 403 to 403 404 404 404"),
    "case-release POST": (READING, "in 403 to 403 404 404 404"),
    "case-erase-identity GET": (SIGNED, "in 403 403 200 404 404 404"),
    "case-erase-identity POST": (SIGNED, "in 403 403 to 404 404 404"),
    "case-pass-on GET": (READING, "in 403 200 403 404 404 404"),
    "case-hand-over POST": (READING, "in 403 200 403 404 404 404"),
    "case-send-back POST": (READING, "in 403 to 403 404 404 404"),
    "case-decide POST": (READING, "in 403 to 403 404 404 404"),
    "case-read GET": (SCREENING, "in 200 403 403 404 404 404"),
    "case-read POST": (SCREENING, "in 200 403 403 404 404 404"),
    "case-refer POST": (TO_SIGN, "in to to 403 404 404 404"),
    "case-sign-out GET": (TO_SIGN, "in 200 403 403 404 404 404"),
    "case-sign-out POST": (TO_SIGN, "in 200 403 403 404 404 404"),
    "case-sign GET": (READING, "in 403 200 403 404 404 404"),
    "case-sign POST": (READING, "in 403 200 403 404 404 404"),
    "case-report GET": (SIGNED, THE_LABORATORY),
    "case-report-version GET": (SIGNED, THE_LABORATORY),
    "report-pdf GET": (SIGNED, THE_LABORATORY),
    "report-verify GET": (SIGNED, EVERYONE),
    "case-addend GET": (SIGNED, "in 403 200 403 404 404 404"),
    "case-addend POST": (SIGNED, "in 403 to 403 404 404 404"),
    "case-amend GET": (SIGNED, "in 403 200 403 404 404 404"),
    "case-amend POST": (SIGNED, "in 403 to 403 404 404 404"),
    "case-correct GET": (SIGNED, "in 403 200 403 404 404 404"),
    "case-correct POST": (SIGNED, "in 403 to 403 404 404 404"),
    "case-trail GET": (DRAFT, THE_LABORATORY),
    "cell GET": (READING, THE_LABORATORY),
    "cell-similar GET": (READING, THE_LABORATORY),
    "case-ahead GET": (READING, THE_LABORATORY),
    "gallery-layout POST": (DRAFT, "in to to to to to to"),
    "reading-keys GET": (DRAFT, MEMBERS),
    "reading-keys POST": (DRAFT, MEMBERS),
    "image-remove POST": (DRAFT, "in to 403 403 404 404 404"),
    "image GET": (DRAFT, THE_LABORATORY),
    "thumbnail GET": (DRAFT, THE_LABORATORY),
    "api-schema GET": (DRAFT, EVERYONE),
    "api-model GET": (READING, "401 200 200 200 200 200 200"),
    "api-case-list GET": (DRAFT, "401 200 200 200 200 200 200"),
    "api-case-list POST": (DRAFT, "401 201 403 403 201 403 403"),
    "api-case-detail GET": (DRAFT, "401 200 200 200 404 404 404"),
    "api-case-detail PATCH": (DRAFT, "401 200 403 403 404 404 404"),
    "api-case-image DELETE": (DRAFT, "401 204 403 403 404 404 404"),
    "api-case-images POST": (DRAFT, "401 200 403 403 404 404 404"),
    "api-case-submit POST": (DRAFT, "401 200 403 403 404 404 404"),
    "api-case-retry POST": (FAILED, "401 200 403 403 404 404 404"),
    "api-case-activation GET": (READING, "401 200 200 200 404 404 404"),
    "api-case-reclassify POST": (WAITING, "401 409 409 403 404 404 404"),
    "api-case-claim POST": (WAITING, "401 403 200 403 404 404 404"),
    "api-case-release POST": (READING, "401 403 200 403 404 404 404"),
    "api-case-erase-identity POST": (SIGNED, "401 403 403 200 404 404 404"),
    "api-case-hand-over POST": (READING, "401 403 409 403 404 404 404"),
    "api-case-send-back POST": (READING, "401 403 200 403 404 404 404"),
    "api-case-heartbeat POST": (READING, "401 403 200 403 404 404 404"),
    "api-case-findings POST": (READING, "401 403 200 403 404 404 404"),
    "api-case-displays POST": (READING, "401 403 200 403 404 404 404"),
    "api-case-commit POST": (SCREENING, "401 409 403 403 404 404 404"),
    "api-case-conclude POST": (SCREENING, "401 409 403 403 404 404 404"),
    "api-case-refer POST": (TO_SIGN, "401 200 200 403 404 404 404"),
    "api-case-sign-out POST": (TO_SIGN, "401 409 403 403 404 404 404"),
    "api-case-sign POST": (READING, "401 403 409 403 404 404 404"),
    "api-case-histology GET": (SIGNED, "401 200 200 200 404 404 404"),
    "api-case-histology POST": (SIGNED, "401 403 200 403 404 404 404"),
    "api-histology-list GET": (DRAFT, "401 200 200 200 200 200 200"),
    "api-look-back-list GET": (DRAFT, "401 200 200 200 200 200 200"),
    "api-look-back-detail GET": (SIGNED, "401 200 200 200 404 404 404"),
    "api-look-back-answer POST": (SIGNED, "401 403 200 403 404 404 404"),
    "api-reader-list GET": (DRAFT, "401 403 200 200 403 200 200"),
    "api-reader-detail GET": (DRAFT, "401 403 200 200 404 404 404"),
    "api-reader-reads GET": (DRAFT, "401 403 200 200 404 404 404"),
    "api-reader-workload POST": (DRAFT, "401 403 200 403 404 404 404"),
    "api-case-report-pdf GET": (SIGNED, "401 200 200 200 404 404 404"),
    "api-case-fhir GET": (SIGNED, "401 200 200 200 404 404 404"),
    "api-case-addend POST": (SIGNED, "401 403 200 403 404 404 404"),
    "api-case-amend POST": (SIGNED, "401 403 200 403 404 404 404"),
    "api-case-correct POST": (SIGNED, "401 403 200 403 404 404 404"),
    "api-case-trail GET": (DRAFT, "401 200 200 200 404 404 404"),
}


def bodies(world):
    """What a request says, where the answer to an empty one would hide the answer to its sender."""
    erasure = {"record_number": world.case.patient.record_number, "reason": "Asked in writing."}
    accession = {"record_number": "P-1", "specimen_type": "LBC", "priority": "routine"}
    decision = {"image": str(world.named["image_id"]), "cell_class": "Parabasal"}
    picture = make.cell_picture(seed=77)
    read = {"adequacy": "SAT", "interpretations": ["NILM"], "password": PASSWORD}
    change = {"supersedes": 1, "reason": "Read again.", "password": PASSWORD}
    amendment = read | change | {"interpretations": ["LSIL"]}
    correction = accession | {"record_number": "P-2"} | change
    return {
        "case-addend POST": change | {"affects_care": "no", "text": "More."},
        "case-amend POST": amendment | {"affects_care": "no"},
        "case-correct POST": correction | {"affects_care": "no"},
        "api-case-addend POST": change | {"affects_care": False, "text": "More."},
        "api-case-amend POST": amendment | {"affects_care": False},
        "api-case-correct POST": correction | {"affects_care": False},
        "case-erase-identity POST": erasure,
        "api-case-erase-identity POST": erasure,
        "case-new POST": accession,
        "case-revise POST": accession,
        "case-upload POST": {"file": SimpleUploadedFile("one.png", picture)},
        "case-decide POST": decision,
        "look-back POST": {"result": "confirmed"},
        "case-histology POST": {
            "source": "biopsy",
            "reported_on": "2020-01-31",
            "result": "BENIGN",
        },
        "reads-workload POST": {"hours": "8", "slides": "80"},
        "api-look-back-answer POST": {"result": "confirmed"},
        "api-case-histology POST": {
            "source": "biopsy",
            "reported_on": "2020-01-31",
            "result": "BENIGN",
        },
        "api-reader-workload POST": {"hours": "8", "slides": 80},
        "case-send-back POST": {"send-back-comment": "Mend it."},
        "user-role POST": {"role": "pathologist"},
        "api-case-list POST": accession,
        "api-case-detail PATCH": accession,
        "api-case-findings POST": {"decisions": [decision]},
        "api-case-displays POST": {"images": [str(world.named["image_id"])]},
        "api-case-images POST": {"file": SimpleUploadedFile("one.png", picture)},
        "api-case-hand-over POST": {"to": world.subject.pk},
        "api-case-send-back POST": {"comment": "Mend it."},
        "api-case-sign POST": read,
        "api-case-commit POST": read,
        "api-case-conclude POST": read,
        "api-case-sign-out POST": read,
    }


def ask(world, name, method, actor):
    client = Client()
    if actor != "anonymous":
        client.force_login(world.people[actor])
    body = bodies(world).get(f"{name} {method}", {})
    is_json = name.startswith("api-") and not any(hasattr(v, "read") for v in body.values())
    kind = {"content_type": "application/json"} if is_json else {}
    answer = getattr(client, method.lower())(world.address(name), body, **kind)
    if answer.status_code == 302:
        return "in" if answer.url.startswith(reverse("login")) else "to"
    return str(answer.status_code)


@pytest.mark.parametrize("row", ANSWERS)
def test_everyone_gets_the_answer_of_the_table(row):
    name, method = row.split()
    state, expected = ANSWERS[row]
    world = World(state)

    answers = []
    for actor in ACTORS:
        with transaction.atomic():
            answers.append(ask(world, name, method, actor))
            transaction.set_rollback(True)

    assert " ".join(answers) == expected


def addresses(patterns, before=""):
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, before + str(entry.pattern))
        else:
            yield entry.name, before + str(entry.pattern)


@pytest.mark.parametrize("state", [DRAFT, READING, SIGNED])
def test_r28_every_answer_says_what_it_is_not_for_and_every_page_shows_it(state):
    rows = [row.split()[0] for row, (at, _) in ANSWERS.items() if at == state and " GET" in row]
    world = World(state)
    silent, pages = [], 0

    for name in rows:
        for actor in ("anonymous", "pathologist", "administrator"):
            client = Client()
            if actor != "anonymous":
                client.force_login(world.people[actor])
            answer = client.get(world.address(name))
            is_page = b"<html" in answer.getvalue()
            pages += is_page
            says_so = not is_page or DISCLAIMER.encode() in answer.getvalue()
            if answer.headers["Disclaimer"] != DISCLAIMER or not says_so:
                silent.append((name, actor, answer.status_code))

    assert pages
    assert silent == []


# Django's own views: to whom is logged in already, and for a link that is no longer good
ANSWERED_BEFORE_THE_METHOD = {"login": {"to"}, "password-reset-confirm": {"200"}}
PATTERNS = dict(addresses(get_resolver().url_patterns))


def test_the_table_has_every_address():
    assert {row.split()[0] for row in ANSWERS} == set(PATTERNS)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_method_that_the_table_does_not_name_is_refused_to_everyone(name):
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    if f"{name} POST" in ANSWERS:
        methods -= {"PUT"}  # to Django's form views another word for POST
    unnamed = {method for method in methods if f"{name} {method}" not in ANSWERS}
    world = World(DRAFT)

    answers = {
        ask(world, name, method, actor) for method in unnamed for actor in ("anonymous", *ROLES)
    }

    assert answers <= {"401", "403", "405", "in"} | ANSWERED_BEFORE_THE_METHOD.get(name, set())
