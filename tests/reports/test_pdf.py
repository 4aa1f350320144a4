"""The PDF: what stands on each page, that it is the same each time, and what is never printed."""

from io import BytesIO

import pytest
from django.urls import reverse
from pypdf import PdfReader
from pytest_django.asserts import assertContains

from cases import bethesda, signature, storage, workflow
from cases.models import Case, Patient
from inference.labels import CellClass
from tests import make
from tests.reports import world

pytestmark = pytest.mark.django_db


def address(case, version=1):
    return reverse("report-pdf", args=[case.pk, version])


def printed(client, case, version=1, by=None):
    """The PDF of a version, as this person (the signer) gets it."""
    client.force_login(by or case.reviewer)
    answer = client.get(address(case, version))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    return answer.content


def pages(content):
    """The words of each page, in one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(content)).pages]


def words(content):
    return " ".join(pages(content))


def test_r16_the_pdf_states_who_signed_when_in_which_zone_and_what_it_means(client):
    case = world.signed()
    report = case.reports.get()

    text = words(printed(client, case))

    at = case.signed_at.astimezone(case.laboratory.zone)
    assert "Dr. Amina Okoye Pathologist ·" in text
    assert f"{at.day} {at:%B %Y, %H:%M:%S %Z (UTC%z)}" in text
    assert signature.MEANING in text
    assert f"Bound to the SHA-256 of the signed content: {report.digest}" in text


def test_the_pdf_says_everything_that_was_signed(client):
    case = world.signed()

    text = words(printed(client, case))

    version = make.model_version()
    for said in (
        case.laboratory.name,
        "Riverside 12, Berlin",
        case.accession_number,
        "P-4037",
        "Ada Lovelace",
        "5 April 1971",
        "Liquid-based preparation",
        "Satisfactory for evaluation",
        "Low-grade squamous intraepithelial lesion (LSIL)",
        "Fungal organisms consistent with Candida (CANDIDA)",
        "Repeat in a year.",
        "1 Koilocytotic, 1 Parabasal",
        "The findings are those of Dr. Amina Okoye.",
        f"{version.name} (SHA-256 {version.digest})",
        "Verify this report at http://testserver/verify/",
    ):
        assert said in text


def test_r28_disclaimer_digest_and_number_stand_on_every_page(client):
    case = world.signed(classes=[CellClass.KOILOCYTOTIC] * 14)
    world.addended(world.amended(case), supersedes=2)

    sheets = pages(printed(client, case, 3))

    assert len(sheets) > 1
    for number, text in enumerate(sheets, 1):
        assert "Research and education only, not for diagnosis." in text
        assert f"Page {number} of {len(sheets)}" in text
        assert case.reports.last().digest in text
        assert case.accession_number in text


def test_the_same_content_makes_the_same_bytes(client):
    case = world.signed()

    assert printed(client, case) == printed(client, case)


def test_the_pdf_is_tagged_names_its_language_and_carries_its_fonts(client):
    content = printed(client, world.signed())

    document = PdfReader(BytesIO(content))
    root = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert "/StructTreeRoot" in root
    assert b"pdfuaid:part>1<" in root["/Metadata"].get_data()
    fonts = [font for page in document.pages for font in page["/Resources"]["/Font"].values()]
    for font in fonts:
        descendant = font.get_object()["/DescendantFonts"][0].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(descendant["/FontDescriptor"])
    figures = content.count(b"/S/Figure") + content.count(b"/S /Figure")
    alternatives = content.count(b"/Alt(") + content.count(b"/Alt (")
    assert figures == alternatives


def test_the_pictures_are_those_that_were_chosen_each_with_its_finding(client):
    case = world.signed()

    content = printed(client, case)

    assert "Koilocytotic Model: Parabasal, 80 %" in words(content)
    assert len(PdfReader(BytesIO(content)).pages[0].images) == 1


def test_r24_a_picture_on_which_the_model_abstained_is_printed_without_its_class(client):
    case = world.in_review()
    make.abstain(case, case.images.first())
    case = workflow.sign(case, case.reviewer, world.LSIL, make.proof(case.reviewer))

    text = words(printed(client, case))

    assert "Koilocytotic Model: needs a human look" in text
    assert "Model: Metaplastic" not in text


def test_a_picture_that_was_changed_on_the_disk_is_named_and_not_shown(client):
    case = world.signed()
    for image in case.images.all():
        storage.delete(case.laboratory_id, image.digest)

    text = words(printed(client, case))

    assert "is missing or was changed" in text


def test_r12_every_page_of_a_superseded_version_says_so(client):
    case = world.amended(world.signed(classes=[CellClass.KOILOCYTOTIC] * 14))
    newer = case.reports.last()
    at = newer.signed_at.astimezone(case.laboratory.zone)

    old, new = pages(printed(client, case, 1)), pages(printed(client, case, 2))

    assert len(old) > 1
    for text in old:
        assert f"Superseded by version 2 of {at.day} {at:%B %Y, %H:%M:%S %Z (UTC%z)}." in text
        assert "SUPERSEDED BY VERSION 2" in text
    assert "uperseded" not in " ".join(new)


def test_an_amendment_prints_what_changed_why_and_who_was_told(client):
    case = world.amended(world.signed())

    text = words(printed(client, case, 2))

    assert "Cervical cytology report: amendment" in text
    assert "Reason A second look." in text
    assert "Interpretation, before Low-grade squamous intraepithelial lesion (LSIL)" in text
    assert "Notified Dr. Gyn," in text
    assert f"SHA-256 {case.reports.first().digest}" in text


def test_an_addendum_prints_its_words(client):
    case = world.addended(world.signed())

    assert "Addendum, version 2 HPV: negative." in words(printed(client, case, 2))


def test_an_unsatisfactory_specimen_prints_its_reasons_and_no_interpretation(client):
    case = world.signed(world.UNSATISFACTORY, [CellClass.PARABASAL] * 2)

    text = words(printed(client, case))

    assert "Processed and examined, but unsatisfactory for evaluation" in text
    assert "Obscuring blood (BLOOD); Scant squamous cellularity (SCANT)" in text
    assert "lesion" not in text
    assert "Cells chosen" not in text


@pytest.mark.parametrize("name", ["Νεφέλη Παπαδοπούλου", "Екатерина Щербакова", "Nguyễn Thị Őry"])
def test_names_in_other_scripts_are_printed(client, name):
    case = world.signed(name=name, signer=f"Dr. {name}")

    text = words(printed(client, case))

    assert f"Name {name}" in text
    assert f"Dr. {name} Pathologist" in text


def test_what_no_font_has_is_printed_as_code_points_and_said(client):
    case = world.signed(name="山田 😀")

    text = words(printed(client, case))

    assert "⟨U+5C71⟩⟨U+7530⟩ ⟨U+1F600⟩" in text
    assert "Characters that the fonts lack are written as their code points" in text


def test_a_long_word_does_not_run_off_the_paper(client):
    comment = {"comment": "x" * 900}
    read = bethesda.Read(adequacy="SAT", interpretations=("LSIL",), **comment)
    case = world.signed(read)

    text = words(printed(client, case)).replace(" ", "").replace("\u200b", "")

    assert "x" * 900 in text


def test_an_administrator_prints_the_pseudonym_alone(client):
    case = world.signed()
    administrator = make.administrator(laboratory=case.laboratory)

    text = words(printed(client, case, by=administrator))

    assert "Lovelace" not in text
    assert "April 1971" not in text
    assert "P-4037" in text


def test_a_version_with_another_patient_id_is_printed_without_the_name_that_is_not_its_own(client):
    case = world.signed()
    Patient.objects.create(laboratory=case.laboratory, record_number="P-5000", name="Grace Hopper")
    world.corrected(case, record_number="P-5000")

    earlier, current = (words(printed(client, case, version)) for version in (1, 2))

    assert "P-4037" in earlier
    assert "Hopper" not in earlier
    assert "P-5000" in current
    assert "Grace Hopper" in current


def test_r18_each_print_is_an_event_in_the_trail(client):
    case = world.amended(world.signed())

    printed(client, case, 1)
    printed(client, case, 2, by=make.administrator(laboratory=case.laboratory))

    events = case.events.filter(action="export")
    assert [(e.actor.role, e.detail) for e in events] == [
        ("pathologist", {"form": "PDF", "version": 1, "identified": True}),
        ("administrator", {"form": "PDF", "version": 2, "identified": False}),
    ]
    client.force_login(case.reviewer)
    trail = client.get(reverse("case-trail", args=[case.pk]))
    assertContains(trail, "Exported version 1 of the report as PDF, with the name of the patient.")


def test_r16_a_report_that_no_longer_matches_its_digest_is_not_printed_and_says_so(client):
    case = world.signed()
    world.rewrite(case.reports.get(), "LSIL", "NILM")
    client.force_login(case.reviewer)

    answer = client.get(address(case))

    assert answer.status_code == 409
    assertContains(
        answer, "No PDF was made: version 1 of this report is not valid.", status_code=409
    )
    assert not case.events.filter(action="export").exists()
    page = client.get(reverse("case-report", args=[case.pk]))
    assertContains(page, "This report is not valid")
    assert address(case) not in page.content.decode()


def test_the_page_of_the_report_leads_to_the_pdf_of_its_version(client):
    case = world.amended(world.signed())
    client.force_login(case.reviewer)

    old = client.get(reverse("case-report-version", args=[case.pk, 1]))
    new = client.get(reverse("case-report", args=[case.pk]))

    assertContains(old, address(case, 1))
    assertContains(new, address(case, 2))


def test_another_laboratory_and_another_version_find_nothing(client):
    case = world.signed()

    client.force_login(make.pathologist())
    assert client.get(address(case)).status_code == 404
    client.force_login(case.reviewer)
    assert client.get(address(case, 2)).status_code == 404
    assert Case.objects.get(pk=case.pk).events.filter(action="export").count() == 0


def test_an_amendment_of_findings_prints_what_each_cell_was_before(client):
    case = world.signed()
    image = case.images.last()

    world.amended_cell(case, image)
    text = words(printed(client, case, version=2))

    assert f"Cell {image.digest[:12]}: Koilocytotic, before: Parabasal" in text
    assert "Amended in version 2, before: Parabasal" in text
    assert "The findings are those of Dr. Amina Okoye, 1 cell amended by Dr. Amina Okoye" in text
    assert "before: Parabasal" not in words(printed(client, case, version=1))
