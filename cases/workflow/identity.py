"""An identity that its owner wants forgotten: destroyed, and the pseudonymous record kept (R21)."""

from django.db.transaction import atomic

from accounts.models import User
from cases import audit, permissions
from cases.models import Case, CellImage, Comment, Patient
from cases.workflow import words
from cases.workflow.reports import LONGEST_REASON
from cases.workflow.transition import InvalidTransition, Refused, locked, require

ERASED = "Erased with the identity of the patient."


def erase_identity(case: Case, user: User, record_number: str, reason: str) -> Case:
    """Destroy who the patient of a case is, in each of their cases.

    With the name and the birth date goes what people typed freely and may tell them: clinical
    notes, words to colleagues, names of files. ``record_number`` is the patient's id once more, as
    nothing brings an identity back.
    """
    with atomic():
        # all of them, in one order, before the patient: as the verbs of each of them lock it
        each_of_them = Case.objects.filter(patient__cases=case).order_by("pk")
        list(each_of_them.select_for_update(no_key=True, of=("self",)).only("pk"))
        case = locked(case, "erase the identity in", *Case.Status.values)
        require(
            permissions.can_erase_identity(user, case),
            "Only administrators erase who a patient is.",
        )
        patient = Patient.objects.select_for_update(no_key=True).get(pk=case.patient_id)
        if audit.identity_is_erased(patient):
            raise InvalidTransition("The identity of this patient is erased already.")
        if record_number.strip().casefold() != patient.record_number.casefold():
            raise Refused("This is not the id of the patient: nothing was erased.")
        reason = words.needed(reason, "reason", LONGEST_REASON)
        patient.name, patient.birth_date = "", None
        patient.save(update_fields=["name", "birth_date"])
        Case.objects.filter(patient=patient).update(clinical_note="")
        Comment.objects.filter(case__patient=patient).exclude(text="").update(text=ERASED)
        for each in patient.cases.order_by("pk"):
            _forget_names_of_files(each)
            audit.record(each, user, "erase_identity", patient=patient.record_number, reason=reason)
        case.refresh_from_db()
    return case


def _forget_names_of_files(case: Case) -> None:
    images = list(case.images.order_by("name", "pk"))
    for number, image in enumerate(images, start=1):
        image.name = f"cell-{number:04d}"
    CellImage.objects.bulk_update(images, ["name"])
