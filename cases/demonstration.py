"""A demonstration: two laboratories, and cases that the verbs themselves brought to every state.

Nothing is written past the workflow: the seeding only sets the clock back, so that the dashboard
has weeks to show, and signs as the people whom it has made up.
"""

import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from PIL import Image

from accounts.authentication import Reauthentication
from accounts.models import Laboratory, Role, User
from cases import bethesda, clock, synthetic, tasks, workflow
from cases.bethesda import Adequacy, Read, TransformationZone
from cases.models import Case, ReadingSettings, Run
from cases.settings import change_reading
from cases.signature import Change
from inference import registry
from inference.labels import CellClass

LABORATORY = "Riverside Cytology"
LETTERHEAD = "A laboratory made up for demonstrations\nRiverside 12, 10115 Berlin"
NEIGHBOUR = "Hillside Cytology"
PICTURES = {".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}
WEEKS = 8
SEED = 2018  # the year of SIPaKMeD; any number draws as well

Picture = tuple[str, bytes]
Cells = Callable[[CellClass], Picture]


class NoPictures(Exception):
    """The folder named for the demonstration has too few pictures of a class; says which."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a case is about: its note, how many cells of which class, and how it is read."""

    note: str
    cells: dict[CellClass, int]
    read: Read


def _satisfactory(*interpretations: str, observations: tuple[str, ...] = ()) -> Read:
    return Read(
        adequacy=Adequacy.SATISFACTORY,
        ec_tz=TransformationZone.PRESENT,
        interpretations=interpretations,
        observations=observations,
    )


DYSKERATOTIC, KOILOCYTOTIC, METAPLASTIC, PARABASAL, SUPERFICIAL = CellClass
ROUTINE = Story("Routine screening.", {SUPERFICIAL: 6, METAPLASTIC: 2}, _satisfactory("NILM"))
ATROPHY = Story(
    "Post-menopausal, routine screening.",
    {PARABASAL: 6, SUPERFICIAL: 2},
    _satisfactory("NILM", observations=("ATROPHY",)),
)
FOLLOW_UP = Story(
    "Follow-up after an earlier borderline result.",
    {KOILOCYTOTIC: 3, SUPERFICIAL: 5},
    _satisfactory("LSIL"),
)
DISCHARGE = Story(
    "Discharge reported.",
    {SUPERFICIAL: 5, METAPLASTIC: 3},
    _satisfactory("NILM", observations=("CANDIDA",)),
)
BLEEDING = Story(
    "Contact bleeding.",
    {DYSKERATOTIC: 4, KOILOCYTOTIC: 2, SUPERFICIAL: 2},
    _satisfactory("HSIL"),
)
BORDERLINE = Story(
    "Routine screening.",
    {KOILOCYTOTIC: 1, SUPERFICIAL: 6, METAPLASTIC: 1},
    _satisfactory("ASC-US"),
)
OBSCURED = Story(
    "Sample taken during menstruation.",
    {SUPERFICIAL: 3, METAPLASTIC: 1},
    Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD", "SCANT")),
)
SIGNED = [
    ROUTINE, ATROPHY, FOLLOW_UP, ROUTINE, DISCHARGE, BORDERLINE, BLEEDING, ROUTINE, OBSCURED,
    ATROPHY, ROUTINE, FOLLOW_UP, DISCHARGE, ROUTINE,
]  # fmt: skip


DOUBTFUL = Story(
    "For teaching: two cells, a picture between two classes, and three pictures of no cell.",
    {KOILOCYTOTIC: 1, SUPERFICIAL: 1},
    _satisfactory("NILM"),
)


def is_seeded() -> bool:
    return Laboratory.objects.filter(name=LABORATORY).exists()


def cells(folder: str) -> Cells:
    """Where the pictures come from: drawn, or from a folder of ``im_<Class>`` folders."""
    return _photographed(Path(folder)) if folder else _drawn()


def _drawn() -> Cells:
    seeds = count(1)

    def draw(cell_class: CellClass) -> Picture:
        seed = next(seeds)
        return synthetic.file_name(cell_class, seed), _png(synthetic.draw(cell_class, seed))

    return draw


def _doubtful() -> list[Picture]:
    """Pictures that a careful model leaves to a person: one ambiguous, the others of no cell."""
    # neither class is ruled out: a test holds the shipped model to that
    between = synthetic.draw_between(METAPLASTIC, PARABASAL, seed=7)
    absurd = {f"synthetic-{kind}.png": synthetic.draw_absurd(kind) for kind in synthetic.Absurdity}
    pictures = {"synthetic-between-two-classes.png": between} | absurd
    return [(name, _png(picture)) for name, picture in pictures.items()]


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", compress_level=1)  # it is encoded anew when it is added
    return file.getvalue()


def _photographed(folder: Path) -> Cells:
    needed = sum(sum(story.cells.values()) for story in SIGNED)
    waiting: dict[CellClass, list[Path]] = {}
    for cell_class in CellClass:
        below = folder / f"im_{cell_class}"
        found = sorted(path for path in below.rglob("*") if path.suffix.lower() in PICTURES)
        random.Random(SEED).shuffle(found)  # noqa: S311 -- a draw of pictures, no secret
        waiting[cell_class] = found
        if len(found) < needed:
            raise NoPictures(
                f"{below} holds {len(found)} pictures; the demonstration takes up to {needed}."
            )

    def take(cell_class: CellClass) -> Picture:
        path = waiting[cell_class].pop()
        return path.name, path.read_bytes()

    return take


def seed(cells: Cells) -> dict[str, str]:
    """Make both laboratories, all or nothing. Returns the passwords drawn, by e-mail address."""
    registry.register_shipped()
    with transaction.atomic():
        seeding = _Seeding(cells)
        laboratory = Laboratory.objects.create(
            name=LABORATORY, time_zone="Europe/Berlin", letterhead=LETTERHEAD
        )
        neighbour = Laboratory.objects.create(name=NEIGHBOUR)
        cytotechnologist, pathologist, _administrator = (
            seeding.person(name, role, f"{role}@riverside.example", laboratory)
            for name, role in (
                ("Kim Larsen", Role.CYTOTECHNOLOGIST),
                ("Dr. Amina Okoye", Role.PATHOLOGIST),
                ("Sam Rivera", Role.ADMINISTRATOR),
            )
        )
        # signs cases too, so that the figures have two readers; nobody can log in as them
        colleague = User.objects.create_user(
            "weber@riverside.example",
            name="Dr. Jonas Weber",
            role=Role.PATHOLOGIST,
            laboratory=laboratory,
        )
        seeding.history(cytotechnologist, (pathologist, colleague))
        seeding.present(cytotechnologist, (pathologist, colleague))
        role = Role.CYTOTECHNOLOGIST
        other = seeding.person("Lea Novak", role, f"{role}@hillside.example", neighbour)
        _screen_blind_first(neighbour)
        seeding.accession(other, ROUTINE)
    return seeding.passwords


def _screen_blind_first(laboratory: Laboratory) -> None:
    """Let the neighbour read otherwise: its cytotechnologist screens, blind first, and may sign."""
    administrator = User.objects.create_user(
        "moreau@hillside.example",  # nobody can log in as them
        name="Noa Moreau",
        role=Role.ADMINISTRATOR,
        laboratory=laboratory,
    )
    wanted = {
        "primary_screening": True,
        "reading_order": ReadingSettings.ReadingOrder.BLIND_FIRST.value,
        "cytotechnologists_sign": True,
    }
    change_reading(laboratory, administrator, wanted)


class _Seeding:
    """One seeding: where its pictures come from, and what it has drawn so far."""

    def __init__(self, cells: Cells) -> None:
        self.passwords: dict[str, str] = {}
        self._cells = cells
        self._patients = count(1)
        self._classes: dict[UUID, CellClass] = {}

    def person(self, name: str, role: Role, email: str, laboratory: Laboratory) -> User:
        self.passwords[email] = secrets.token_urlsafe(12)
        return User.objects.create_user(
            email, self.passwords[email], name=name, role=role, laboratory=laboratory
        )

    def history(self, cytotechnologist: User, readers: Sequence[User]) -> None:
        """Signed cases over the past weeks."""
        start = clock.now() - timedelta(weeks=WEEKS)
        pause = timedelta(weeks=WEEKS) / (len(SIGNED) + 1)
        for position, story in enumerate(SIGNED):
            begun = start + position * pause
            is_urgent = position % 4 == 2  # noqa: PLR2004 -- the abnormal stories among others
            priority = Case.Priority.URGENT if is_urgent else Case.Priority.ROUTINE
            hours = 18 + 11 * (position % 9)
            took = timedelta(hours=hours / 3 if is_urgent else hours)
            reader = readers[position % len(readers)]
            # her first slide was negative, so that there is something to look back at (R7)
            patient = 1 if story is BLEEDING else None
            with clock.at(begun):
                case = _classified(self._submitted(cytotechnologist, story, priority, patient))
            with clock.at(begun + took):
                workflow.claim(case, reader)
                self._decide(case, reader)
                workflow.sign(case, reader, story.read, _proof(reader))
            with clock.at(begun + took + timedelta(hours=20)):
                _change_report(case, story, readers[(position + 1) % len(readers)])

    def present(self, cytotechnologist: User, readers: Sequence[User]) -> None:
        """Cases in each state that a person can find one in."""
        now = clock.now()
        for story, age, priority in (
            (BLEEDING, timedelta(hours=9), Case.Priority.URGENT),
            (FOLLOW_UP, timedelta(days=7), Case.Priority.ROUTINE),  # overdue
            (ROUTINE, timedelta(days=1), Case.Priority.ROUTINE),
        ):
            with clock.at(now - age):
                _classified(self._submitted(cytotechnologist, story, priority))
        with clock.at(now - timedelta(hours=5)):
            case = self.accession(cytotechnologist, DOUBTFUL)
            for name, content in _doubtful():
                workflow.add_image(case, cytotechnologist, name, content)
            _classified(workflow.submit(case, cytotechnologist, registry.current()))
        for reader, story in zip(readers, (BORDERLINE, ATROPHY), strict=True):
            with clock.at(now - timedelta(days=2)):
                case = _classified(self._submitted(cytotechnologist, story))
            with clock.at(now - timedelta(minutes=10)):
                workflow.claim(case, reader)
                self._decide(case, reader, at_most=3)
        with clock.at(now - timedelta(hours=3)):
            _let_workers_vanish(self._submitted(cytotechnologist, DISCHARGE))
        self.accession(cytotechnologist, ROUTINE)
        self._submitted(cytotechnologist, FOLLOW_UP)  # a worker takes it when it starts

    def accession(
        self,
        user: User,
        story: Story,
        priority: str = Case.Priority.ROUTINE,
        patient: int | None = None,
    ) -> Case:
        """A draft with the story's cells, of a new patient unless one is given."""
        number = patient or next(self._patients)
        case = workflow.accession(
            user,
            workflow.Accession(
                record_number=f"P-{4000 + number * 37}",
                patient_name=f"Demonstration Patient {number}",
                birth_date=date(1958 + number * 7 % 40, 1 + number % 12, 1 + number % 28),
                specimen_type=bethesda.SpecimenType.LIQUID_BASED,
                collected_on=(clock.now() - timedelta(days=1)).date(),
                priority=priority,
                clinical_note=story.note,
            ),
        )
        for cell_class, many in story.cells.items():
            for _ in range(many):
                image = workflow.add_image(case, user, *self._cells(cell_class))
                self._classes[image.pk] = cell_class
        return case

    def _submitted(
        self,
        user: User,
        story: Story,
        priority: str = Case.Priority.ROUTINE,
        patient: int | None = None,
    ) -> Case:
        case = self.accession(user, story, priority, patient)
        return workflow.submit(case, user, registry.current())

    def _decide(self, case: Case, reader: User, at_most: int | None = None) -> None:
        """The reader finds what was drawn or labelled, whatever the model said."""
        images = case.images.all()[:at_most]
        workflow.display(case, reader, [image.pk for image in images])
        decisions = [
            workflow.Decision(image_id=image.pk, cell_class=self._classes[image.pk])
            for image in images
        ]
        workflow.decide(case, reader, decisions)


def _classified(case: Case) -> Case:
    """A submitted case, as a worker leaves it."""
    tasks.classify_run(str(case.runs.get().pk))
    return case


def _let_workers_vanish(case: Case) -> None:
    """Bring a case to failed as a dying machine would; a retry makes it well."""
    moment = clock.now()
    for _ in range(workflow.MAX_RUNS):
        run = case.runs.get(status=Run.Status.PENDING)
        with clock.at(moment):
            workflow.begin(run)
        moment += timedelta(minutes=10)
        with clock.at(moment):
            workflow.requeue(run)


def _change_report(case: Case, story: Story, colleague: User) -> None:
    """What sometimes follows a release: a result is changed, or another one comes in."""
    if story is BORDERLINE:
        change = Change(
            supersedes=1,
            reason="Shown at the weekly conference: the koilocyte is a classical one.",
            affects_care=True,
            notified="Dr. Demonstration, gynaecologist",
            notified_at=clock.now(),
        )
        workflow.amend(case, colleague, change, _satisfactory("LSIL"), _proof(colleague))
    elif story is BLEEDING:
        change = Change(supersedes=1, reason="The HPV test came in.", affects_care=False)
        text = "HPV type 16 was found in the same sample."
        workflow.addend(case, colleague, change, text, _proof(colleague))


def _proof(reader: User) -> Reauthentication:
    return Reauthentication(user_id=reader.pk, at=timezone.now(), method="password")
