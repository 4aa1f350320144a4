"""Signed cases with everything on their reports, and reports rewritten past their triggers."""

from datetime import date, timedelta

from django.db import connection

from cases import bethesda, clock, workflow
from cases.bethesda import Adequacy
from cases.models import Case, Patient
from cases.signature import Change
from inference.labels import CellClass
from tests import make
from tests.make import proof

KOILOCYTOTIC, PARABASAL = CellClass.KOILOCYTOTIC, CellClass.PARABASAL
LSIL = bethesda.Read(
    adequacy=Adequacy.SATISFACTORY,
    interpretations=("LSIL",),
    observations=("CANDIDA",),
    comment="Repeat in\na year.",
)
HSIL = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("HSIL",))
UNSATISFACTORY = bethesda.Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD", "SCANT"))


def in_review(classes=(KOILOCYTOTIC, PARABASAL), *, name="Ada Lovelace", signer="Dr. Amina Okoye"):
    """A case with these findings, of a laboratory with a letterhead, in Berlin."""
    laboratory = make.laboratory(
        time_zone="Europe/Berlin", letterhead="Riverside 12, Berlin\nDirector: Dr. Okoye"
    )
    patient = Patient.objects.create(
        laboratory=laboratory, record_number="P-4037", name=name, birth_date=date(1971, 4, 5)
    )
    reader = make.pathologist(laboratory=laboratory, name=signer)
    case = make.case(
        Case.Status.REVIEWING,
        reviewer=reader,
        patient=patient,
        images=len(classes),
        collected_on=clock.now().date() - timedelta(days=3),
        clinical_note="Known to Ada.",
    )
    for image, cell_class in zip(case.images.all(), classes, strict=True):
        make.finding(case, image, cell_class)
    return case


def signed(read=LSIL, classes=(KOILOCYTOTIC, PARABASAL), **fields):
    case = in_review(classes, **fields)
    return workflow.sign(case, case.reviewer, read, proof(case.reviewer))


def change(supersedes=1, **fields):
    values = {"reason": "A second look.", "affects_care": False} | fields
    return Change(supersedes=supersedes, **values)


def amended(case, supersedes=1):
    told = {"affects_care": True, "notified": "Dr. Gyn", "notified_at": clock.now()}
    changed = change(supersedes, **told)
    return workflow.amend(case, case.reviewer, changed, HSIL, proof(case.reviewer))


def amended_cell(case, image, by=None):
    """The same result, and a finding that changed."""
    user = by or case.reviewer
    cell = workflow.Decision(image_id=image.pk, cell_class=KOILOCYTOTIC)
    return workflow.amend(case, user, change(), LSIL, proof(user), cells=[cell])


def addended(case, supersedes=1):
    user = case.reviewer
    return workflow.addend(case, user, change(supersedes), "HPV: negative.", proof(user))


def corrected(case, supersedes=1, record_number=""):
    mended = workflow.Correction(
        record_number=record_number or case.patient.record_number,
        specimen_type="CONV",
        collected_on=case.collected_on,
        comment="",
    )
    user = case.reviewer
    return workflow.correct(case, user, change(supersedes), mended, proof(user))


def rewrite(report, old, new):
    """What only who switches the triggers off can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else they are pending
        cursor.execute("ALTER TABLE cases_report DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE cases_report SET content = replace(content, %s, %s) WHERE id = %s",
            [old, new, report.pk],
        )
        cursor.execute("ALTER TABLE cases_report ENABLE TRIGGER USER")
