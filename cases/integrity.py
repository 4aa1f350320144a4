"""Whether what is kept is what was written: events, signed reports, pictures (R16, R18)."""

from collections.abc import Iterable, Iterator
from uuid import UUID

from accounts import chain
from accounts.models import ChainHead, Laboratory
from cases import signature, storage
from cases.models import AuditEvent, CellImage, Report

COLUMNS = (
    *("sequence", "previous", "laboratory_id", "id", "case_id", "actor_id"),
    *("action", "from_status", "to_status", "detail", "at", "recorded_at"),
)


def walks(laboratory: Laboratory) -> list[chain.Walk]:
    """Both chains of a laboratory."""
    events = AuditEvent.objects.filter(laboratory=laboratory)
    of_cases = chain.Walk(
        laboratory, ChainHead.Chain.CASES, events, COLUMNS, "case__accession_number"
    )
    return [of_cases, chain.of_accounts(laboratory)]


def breaks(
    laboratory: Laboratory, kept: Iterable[chain.KeptHead] = (), *, pictures: bool = True
) -> Iterator[str]:
    """A sentence for each chain, report and picture that is not what was written.

    Of a chain it is the first break. The chains come first, as the rest is held against them.
    """
    heads = [head for head in kept if head.laboratory == laboratory.pk]
    for walk in walks(laboratory):
        broken = chain.first_break(walk, [head for head in heads if head.chain == walk.chain])
        if broken:
            yield broken
    yield from _reports(laboratory)
    if pictures:
        yield from _pictures(laboratory)


def _reports(laboratory: Laboratory) -> Iterator[str]:
    """Each report against its digest and against the event of its signature, in both directions."""
    # The event of a picture names its digest too, beside the picture.
    signings = AuditEvent.objects.filter(laboratory=laboratory, detail__has_key="digest").exclude(
        detail__has_key="image"
    )
    signed: dict[tuple[UUID, str], str] = {
        (case, digest): number
        for case, digest, number in signings.values_list(
            "case_id", "detail__digest", "case__accession_number"
        )
    }
    reports = Report.objects.filter(case__laboratory=laboratory).select_related("case")
    for report in reports.order_by("case__accession_number", "version").iterator():
        told = f"Version {report.version} of the report of {report.case}"
        known = signed.pop((report.case_id, report.digest), None)
        if not signature.matches(report):
            yield f"{told} was changed: its content no longer has the digest that was signed."
        elif known is None:
            yield f"{told} is not one whose signature is in the chain: it was changed or inserted."
    for number in signed.values():
        yield f"A signed version of the report of {number} is gone: its signature is in the chain."


def _pictures(laboratory: Laboratory) -> Iterator[str]:
    """Each picture against its digest, and the digest against the event of its upload."""
    added = AuditEvent.objects.filter(laboratory=laboratory, action="add_image")
    digests = dict(added.values_list("detail__image", "detail__digest"))
    images = CellImage.objects.filter(case__laboratory=laboratory).select_related("case")
    for image in images.order_by("case__accession_number", "name", "pk").iterator():
        told = f"The picture {image.name} of {image.case}"
        if digests.get(str(image.pk)) != image.digest:
            yield f"{told} is not the one whose upload is in the chain."
        try:
            storage.open_image(laboratory.pk, image.digest)
        except (storage.MissingImage, storage.DamagedImage) as error:
            yield f"{told} is not what was stored. {error}"
