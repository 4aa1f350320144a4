"""Whether what is kept is what was written: events, signed reports, pictures (R16, R18)."""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import chain, events
from accounts.models import AccountEvent, ChainHead, Laboratory
from cases import signature, storage
from cases.models import AuditEvent, CellImage, Report
from cases.wording import count

NAMED = 100  # breaks that the record of a check names; more are counted
CHECKED_WITHIN = timedelta(days=2)  # the clock checks every night

logger = logging.getLogger(__name__)

COLUMNS = (
    *("sequence", "previous", "laboratory_id", "id", "case_id", "actor_id"),
    *("action", "from_status", "to_status", "detail", "at", "recorded_at"),
)


def walks(laboratory: Laboratory) -> list[chain.Walk]:
    """Both chains of a laboratory."""
    happened = AuditEvent.objects.filter(laboratory=laboratory)
    of_cases = chain.Walk(
        laboratory, ChainHead.Chain.CASES, happened, COLUMNS, "case__accession_number"
    )
    return [of_cases, chain.of_accounts(laboratory)]


def breaks(
    laboratory: Laboratory, kept: Iterable[chain.KeptHead] = (), *, pictures: bool = True
) -> Iterator[str]:
    """A sentence for each chain, report and picture that is not what was written.

    Of a chain it is the first break. The chains come first, as the rest is held against them.
    Beside the heads that were kept elsewhere, those that earlier checks recorded must be in them.
    """
    heads = [head for head in kept if head.laboratory == laboratory.pk]
    heads += [_head_of(one) for one in checks(laboratory) if one.detail["length"]]
    for walk in walks(laboratory):
        broken = chain.first_break(walk, [head for head in heads if head.chain == walk.chain])
        if broken:
            yield broken
    yield from _reports(laboratory)
    if pictures:
        yield from _pictures(laboratory)


def check(laboratory: Laboratory) -> AccountEvent:
    """Look at everything that a laboratory keeps, and record what was found.

    The record is an event of the chain of accounts, and names the head of the chain of cases: who
    writes one of the two anew has to write the other anew as well.
    """
    head = ChainHead.objects.filter(laboratory=laboratory, chain=ChainHead.Chain.CASES).first()
    kept = {
        "event": sum(laboratory.chains.values_list("length", flat=True)),
        "report": Report.objects.filter(case__laboratory=laboratory).count(),
        "picture": CellImage.objects.filter(case__laboratory=laboratory).count(),
    }
    found = list(breaks(laboratory))
    if found:
        logger.error("%s found in the records of %s", count(len(found), "break"), laboratory)
    with transaction.atomic():
        return events.record(
            events.Action.RECORDS_CHECKED,
            laboratory,
            None,
            looked_at=", ".join(count(number, one) for one, number in kept.items()),
            found=count(len(found), "break") if found else "everything is whole",
            breaks=found[:NAMED],
            broken=len(found),
            length=head.length if head else 0,
            digest=head.digest if head else chain.FIRST_PREVIOUS,
        )


def checks(laboratory: Laboratory) -> QuerySet[AccountEvent]:
    """What the checks of a laboratory found, the latest first."""
    return AccountEvent.objects.filter(
        laboratory=laboratory, action=events.Action.RECORDS_CHECKED
    ).order_by("-sequence")


def alarm(laboratory: Laboratory) -> str:
    """What an administrator has to know of the records at once; nothing where all is well."""
    last = checks(laboratory).first()
    if last and last.detail["broken"]:
        return f"The last check of the records found {last.detail['found']}."
    since = last.at if last else laboratory.created_at
    silence = timezone.now() - since
    if silence < CHECKED_WITHIN:
        return ""
    return f"The records were not checked for {silence.days} days: are worker and clock running?"


def _head_of(check: AccountEvent) -> chain.KeptHead:
    told = check.detail
    return chain.KeptHead(
        check.laboratory_id, ChainHead.Chain.CASES, told["length"], told["digest"]
    )


def _reports(laboratory: Laboratory) -> Iterator[str]:
    """Each report against its digest and against the event of its signature, in both directions."""
    # The event of a picture names its digest too, beside the picture.
    signings = AuditEvent.objects.filter(laboratory=laboratory, detail__has_key="digest").exclude(
        detail__has_key="image"
    )
    signed: dict[tuple[UUID, str], str] = {}
    newest = 0
    told_of = ("pk", "case_id", "detail__digest", "case__accession_number")
    for pk, case, digest, number in signings.order_by("pk").values_list(*told_of):
        signed[case, digest] = number
        newest = pk
    reports = Report.objects.filter(case__laboratory=laboratory).select_related("case")
    for report in reports.order_by("case__accession_number", "version").iterator():
        told = f"Version {report.version} of the report of {report.case}"
        is_known = signed.pop((report.case_id, report.digest), None) is not None
        if not is_known:  # perhaps it was signed since the events were read
            since = signings.filter(pk__gt=newest, case=report.case_id)
            is_known = since.filter(detail__digest=report.digest).exists()
        if not signature.matches(report):
            yield f"{told} was changed: its content no longer has the digest that was signed."
        elif not is_known:
            yield f"{told} is not one whose signature is in the chain: it was changed or inserted."
    for number in signed.values():
        yield f"A signed version of the report of {number} is gone: its signature is in the chain."


def _pictures(laboratory: Laboratory) -> Iterator[str]:
    """Each picture against its digest, and the digest against the event of its upload.

    A picture goes by its id: its file may be named after the patient, and what is found is kept.
    """
    added = AuditEvent.objects.filter(laboratory=laboratory, action="add_image")
    digests = dict(added.values_list("detail__image", "detail__digest"))
    images = CellImage.objects.filter(case__laboratory=laboratory).select_related("case")
    for image in images.order_by("case__accession_number", "name", "pk").iterator():
        told = f"The picture {image.pk} of {image.case}"
        named = {"detail__image": str(image.pk), "detail__digest": image.digest}
        if digests.get(str(image.pk)) != image.digest and not added.filter(**named).exists():
            yield f"{told} is not the one whose upload is in the chain."
        try:
            storage.open_image(laboratory.pk, image.digest)
        except (storage.MissingImage, storage.DamagedImage) as error:
            yield f"{told} is not what was stored. {error}"
