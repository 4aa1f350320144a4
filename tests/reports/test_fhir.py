"""The FHIR document: valid, complete, of the right status, and never of an altered report."""

import base64
import hashlib

import pytest
from django.urls import reverse
from fhir.resources.R4B.bundle import Bundle

from cases import bethesda, clock, workflow
from cases.models import Case, ReadingSettings
from inference.labels import CellClass
from tests import make
from tests.cases.api import as_person
from tests.reports import world

pytestmark = pytest.mark.django_db


def fetch(case, by=None):
    address = reverse("api-case-fhir", args=[case.pk])
    return as_person(by or case.reviewer or case.accessioned_by).get(address)


def exported(case, by=None):
    """The document, valid as FHIR R4, with every reference leading to a resource in it."""
    answer = fetch(case, by)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/fhir+json")
    document = answer.json()
    Bundle.model_validate(document)
    urls = [entry["fullUrl"] for entry in document["entry"]]
    assert len(urls) == len(set(urls))
    assert set(references(document)) <= set(urls)
    assert document["type"] == "document"
    assert document["entry"][0]["resource"]["resourceType"] == "Composition"
    return document


def references(node):
    if isinstance(node, dict):
        if "reference" in node:
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def all_of(document, kind):
    resources = [entry["resource"] for entry in document["entry"]]
    return [resource for resource in resources if resource["resourceType"] == kind]


def one(document, kind):
    [resource] = all_of(document, kind)
    return resource


def statuses(document):
    return one(document, "DiagnosticReport")["status"], one(document, "Composition")["status"]


def codes(concept):
    return {coding["code"] for coding in concept.get("coding", [])}


def by_people(document):
    return [o for o in all_of(document, "Observation") if "device" not in o]


def by_the_model(document):
    return [o for o in all_of(document, "Observation") if "device" in o]


def results(document):
    """What was reported, by the LOINC code of what was observed."""
    return {
        (next(iter(codes(o["code"]))), *sorted(codes(o["valueCodeableConcept"])))
        for o in by_people(document)
        if codes(o["code"])
    }


def test_a_final_report_is_a_valid_document_with_codes_and_signature():
    case = world.signed()
    report = case.reports.get()

    document = exported(case)

    assert statuses(document) == ("final", "final")
    assert results(document) == {
        ("19764-0", "125152006", "SAT"),
        ("19762-4", "ECA_SQUAMOUS"),
        ("18500-9", "62051000119105", "LSIL"),
        ("18500-9", "168418000", "CANDIDA"),
    }
    told = one(document, "DiagnosticReport")
    assert codes(told["code"]) == {"47527-7"}
    assert [codes(concept) for concept in told["conclusionCode"]] == [{"LSIL", "62051000119105"}]
    assert "Comment: Repeat in\na year." in told["conclusion"]
    assert len(told["result"]) == 4
    specimen = one(document, "Specimen")
    assert specimen["accessionIdentifier"]["value"] == case.accession_number
    assert specimen["collection"]["collectedDateTime"] == case.collected_on.isoformat()
    provenance = one(document, "Provenance")
    [signature] = provenance["signature"]
    assert base64.b64decode(signature["data"]).decode() == f"sha-256:{report.digest}"
    assert signature["when"] == report.signed_at.isoformat()
    assert provenance["agent"][0]["role"] == [{"text": "Pathologist"}]
    [signer] = all_of(document, "Practitioner")
    assert signer["name"] == [{"text": "Dr. Amina Okoye"}]


def test_the_models_answers_are_observations_of_a_device_apart_from_the_findings():
    case = world.signed()
    image = case.images.first()

    document = exported(case)

    device = one(document, "Device")
    version = make.model_version()
    assert device["version"] == [{"value": version.name}]
    assert device["identifier"][0]["value"] == version.digest
    answers = by_the_model(document)
    assert len(answers) == case.images.count()
    [answer] = [a for a in answers if a["derivedFrom"][0]["identifier"]["value"] == image.digest]
    assert answer["valueCodeableConcept"]["text"] == "Parabasal"
    assert [c["valueQuantity"]["value"] for c in answer["component"]] == [
        0.05,
        0.05,
        0.05,
        0.8,
        0.05,
    ]
    assert "performer" not in answer
    [found] = [
        o
        for o in by_people(document)
        if o.get("derivedFrom", [{}])[0].get("identifier", {}).get("value") == image.digest
    ]
    assert found["valueCodeableConcept"]["text"] == "Koilocytotic"
    reported = {reference["reference"] for reference in one(document, "DiagnosticReport")["result"]}
    models = {entry["fullUrl"] for entry in document["entry"] if "device" in entry["resource"]}
    assert not reported & models


def test_r24_an_answer_that_abstains_has_no_class_and_says_why():
    case = world.in_review()
    make.abstain(case, case.images.first())
    case = workflow.sign(case, case.reviewer, world.LSIL, world.proof(case.reviewer))

    answers = by_the_model(exported(case))

    [abstained] = [a for a in answers if "valueCodeableConcept" not in a]
    assert abstained["dataAbsentReason"] == {"text": "Needs a human look"}
    assert abstained["note"] == [{"text": "It cannot tell Metaplastic from Parabasal."}]


def test_a_case_before_its_release_is_preliminary_and_has_no_result():
    case = world.in_review()

    document = exported(case)

    assert statuses(document) == ("preliminary", "preliminary")
    assert by_people(document) == []
    assert {a["status"] for a in by_the_model(document)} == {"preliminary"}
    assert all_of(document, "Provenance") == []
    assert "No result has been reported yet." in str(one(document, "Composition")["section"])


def test_a_draft_is_registered():
    case = make.case(Case.Status.DRAFT, images=1)

    document = exported(case)

    assert statuses(document) == ("registered", "preliminary")
    assert all_of(document, "Observation") == []


def test_a_preliminary_result_is_that_of_the_last_committed_read():
    case = world.in_review()
    case.reviews.update(
        committed_at=clock.now(), committed_read=world.LSIL.to_json(), is_blind=True
    )

    document = exported(case)

    assert ("18500-9", "62051000119105", "LSIL") in results(document)
    assert {o["status"] for o in by_people(document)} == {"preliminary"}
    assert len([o for o in by_people(document) if "derivedFrom" in o]) == 2


def test_r22_before_the_reveal_the_document_says_nothing_of_the_models_output():
    case = world.in_review()
    settings = ReadingSettings.of(case.laboratory)
    settings.reading_order = ReadingSettings.ReadingOrder.BLIND_FIRST
    settings.save()
    case.reviews.update(is_blind=True)

    document = exported(case)

    assert by_the_model(document) == []
    assert all_of(document, "Device") == []
    assert make.model_version().name not in str(document)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ([world.addended], "appended"),
        ([world.amended], "amended"),
        ([world.corrected], "corrected"),
        ([world.amended, world.addended], "amended"),
        ([world.corrected, world.addended], "amended"),
    ],
)
def test_r12_the_status_says_what_was_changed_since_the_release(changes, status):
    case = world.signed()
    first = exported(case)
    for supersedes, change in enumerate(changes, 1):
        case = change(case, supersedes)

    document = exported(case)

    assert statuses(document) == (status, "amended")
    if len(changes) == 1:
        [replaced] = one(document, "Composition")["relatesTo"]
        assert replaced == {"code": "replaces", "targetIdentifier": first["identifier"]}
    expected = {"appended": "final"}.get(status, status)
    assert {o["status"] for o in by_people(document)} == {expected}
    assert {o["status"] for o in by_the_model(document)} == {"final"}
    revision = one(document, "Provenance")["entity"][1]
    older = case.reports.order_by("-version")[1]
    assert (revision["role"], revision["what"]["identifier"]["value"]) == ("revision", older.digest)


def test_an_amended_document_says_why_and_who_was_told():
    document = exported(world.amended(world.signed()))

    assert ("18500-9", "62061000119107", "HSIL") in results(document)
    [section] = [s for s in one(document, "Composition")["section"] if s["title"] == "What changed"]
    assert "A second look." in section["text"]["div"]
    assert "Dr. Gyn" in section["text"]["div"]


def test_an_unsatisfactory_specimen_has_reasons_and_no_interpretation():
    case = world.signed(world.UNSATISFACTORY, [CellClass.PARABASAL] * 2)

    document = exported(case)

    assert results(document) == {("19764-0", "125154007", "UNSAT")}
    [adequacy] = [o for o in by_people(document) if codes(o["code"]) == {"19764-0"}]
    assert [codes(c["valueCodeableConcept"]) for c in adequacy["component"]] == [
        {"BLOOD", "123836007"},
        {"SCANT", "125161006"},
    ]
    assert "conclusionCode" not in one(document, "DiagnosticReport")


def test_the_patient_is_named_only_to_those_who_may_see_who_they_are():
    case = world.signed()
    administrator = make.administrator(laboratory=case.laboratory)

    named, pseudonymous = exported(case), exported(case, administrator)

    assert one(named, "Patient")["name"] == [{"use": "official", "text": "Ada Lovelace"}]
    assert one(named, "Patient")["birthDate"] == "1971-04-05"
    assert "Lovelace" not in str(pseudonymous)
    assert "1971-04-05" not in str(pseudonymous)  # four digits alone stand in digests by chance
    assert one(pseudonymous, "Patient")["identifier"][0]["value"] == "P-4037"
    assert "Known to Ada" not in str(named)  # the clinical note stays in the laboratory


def test_r28_the_disclaimer_stands_in_the_document():
    document = exported(world.signed())

    tags = [document["meta"]["tag"], one(document, "Composition")["meta"]["tag"]]
    for [tag] in tags:
        assert tag["display"] == "Research and education only, not for diagnosis."
    assert one(document, "Composition")["section"][0]["title"] == "Disclaimer"


def test_what_people_typed_is_escaped_in_the_narrative():
    read = bethesda.Read(adequacy="SAT", interpretations=("LSIL",), comment="<b>&</b>")
    case = world.signed(read)

    assert "&lt;b&gt;&amp;&lt;/b&gt;" in one(exported(case), "Composition")["text"]["div"]


def test_the_document_of_a_released_case_carries_the_paper_of_the_same_version(client):
    case = world.signed()
    world.amended(case)

    told = one(exported(case), "DiagnosticReport")

    [paper] = told["presentedForm"]
    content = base64.b64decode(paper["data"])
    client.force_login(case.reviewer)
    printed = client.get(reverse("report-pdf", args=[case.pk, 2])).content
    assert content == printed
    assert told["status"] == "amended"
    assert paper["title"] == f"{case.accession_number} v2.pdf"
    assert paper["contentType"] == "application/pdf"
    assert paper["size"] == len(content)
    assert base64.b64decode(paper["hash"]) == hashlib.sha1(content).digest()  # noqa: S324 -- as FHIR has it


def test_what_is_not_signed_has_no_paper():
    told = one(exported(make.case(Case.Status.AWAITING_REVIEW, images=1)), "DiagnosticReport")

    assert "presentedForm" not in told


def test_the_same_report_is_the_same_document():
    case = world.signed()

    assert exported(case) == exported(case)


def test_r16_a_report_that_no_longer_matches_its_digest_is_not_exported_and_says_so():
    case = world.signed()
    world.rewrite(case.reports.get(), "LSIL", "NILM")

    answer = fetch(case)

    assert answer.status_code == 409
    assert "its content does not match the digest that was signed" in answer.json()["detail"]
    assert not case.events.filter(action="export").exists()


def test_r18_each_export_is_an_event_in_the_trail():
    case = world.signed()

    exported(case)
    exported(case, make.administrator(laboratory=case.laboratory))

    assert [event.detail for event in case.events.filter(action="export")] == [
        {"form": "FHIR", "version": 1, "identified": True},
        {"form": "FHIR", "version": 1, "identified": False},
    ]


def test_another_laboratory_finds_nothing():
    case = world.signed()

    assert fetch(case, make.pathologist()).status_code == 404
    assert fetch(case, make.administrator()).status_code == 404


def test_an_amended_finding_names_who_amended_it_and_what_was_before():
    case = world.signed()
    image = case.images.last()
    colleague = make.pathologist(laboratory=case.laboratory, name="Dr. Second")

    document = exported(world.amended_cell(case, image, colleague))

    [found] = [
        o
        for o in by_people(document)
        if o.get("derivedFrom", [{}])[0].get("identifier", {}).get("value") == image.digest
    ]
    assert found["valueCodeableConcept"]["text"] == "Koilocytotic"
    assert found["note"] == [{"text": "Amended in version 2; before: Parabasal."}]
    names = {
        entry["fullUrl"]: entry["resource"]["name"][0]["text"]
        for entry in document["entry"]
        if entry["resource"]["resourceType"] == "Practitioner"
    }
    assert [names[who["reference"]] for who in found["performer"]] == ["Dr. Second"]
    assert statuses(document) == ("amended", "amended")
