"""Reading content files: what a lesson holds, and what is refused."""

from datetime import date

import pytest
from django.urls import reverse

from education import lessons
from education.lessons import BadLesson, Source
from inference.labels import CellClass

FILE = """---
title: Nuclei
order: 7
section: Cells
summary: About nuclei.
updated: 2026-11-23
sources:
  - Somebody. A book: with a colon | 2015 | https://example.org/book
  - Nobody | 1999 |
---
An opening with a link to [koilocytes](lesson:koilocytotic).

## How large?

| Nucleus | Area |
|---|--:|
| intermediate | 35 |

## How dark?

![A dark circle.](figure:network.svg "Schematic.")
"""


def test_a_file_becomes_a_lesson():
    lesson = lessons.read("nuclei", FILE)

    assert (lesson.slug, lesson.title, lesson.order) == ("nuclei", "Nuclei", 7)
    assert (lesson.section, lesson.summary) == ("Cells", "About nuclei.")
    assert lesson.updated == date(2026, 11, 23)
    assert lesson.sources == (
        Source("Somebody. A book: with a colon", 2015, "https://example.org/book"),
        Source("Nobody", 1999, ""),
    )
    assert [(part.anchor, part.title) for part in lesson.parts] == [
        ("how-large", "How large?"),
        ("how-dark", "How dark?"),
    ]
    assert lesson.figure is None
    assert lesson.reading_minutes == 1


def test_a_link_to_a_lesson_becomes_its_address():
    lesson = lessons.read("nuclei", FILE)

    assert '<a href="/learn/koilocytotic/">koilocytes</a>' in lesson.opening


def test_a_table_scrolls_in_a_named_region_and_has_no_inline_style():
    [table, _] = lessons.read("nuclei", FILE).parts

    for words in ('class="table-scroll"', 'tabindex="0"', 'aria-label="Table: Nucleus, Area"'):
        assert words in table.html
    assert '<td class="number">35</td>' in table.html
    assert "style=" not in table.html


def test_a_drawing_has_a_text_alternative_and_a_caption():
    [_, drawing] = lessons.read("nuclei", FILE).parts

    assert 'alt="A dark circle."' in drawing.html
    assert 'src="/static/img/education/network.svg"' in drawing.html
    assert "<figcaption>Schematic.</figcaption>" in drawing.html


@pytest.mark.parametrize("key", ["title", "order", "section", "summary", "updated", "sources"])
def test_a_file_without_a_key_is_refused_by_name(key):
    without = FILE.replace(f"{key}:", f"not-{key}:")

    with pytest.raises(BadLesson, match=rf"nuclei\.md has no {key}"):
        lessons.read("nuclei", without)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("updated: 2026-11-23", "updated: yesterday"),
        ("order: 7", "order: seventh"),
        ("Nobody | 1999 |", "Nobody"),
        ("Nobody | 1999 |", "Nobody | long ago |"),
        ("title: Nuclei", "title Nuclei"),
        ("lesson:koilocytotic", "lesson:koilocytic"),
        ("---\ntitle", "title"),
    ],
)
def test_a_malformed_file_is_refused_by_name(good, bad):
    with pytest.raises(BadLesson, match=r"^nuclei\.md"):
        lessons.read("nuclei", FILE.replace(good, bad))


def test_lessons_stand_in_reading_order_and_know_their_neighbours():
    ordered = list(lessons.lessons().values())

    assert [lesson.order for lesson in ordered] == sorted({lesson.order for lesson in ordered})
    assert lessons.neighbours(ordered[0]) == (None, ordered[1])
    assert lessons.neighbours(ordered[1]) == (ordered[0], ordered[2])
    assert lessons.neighbours(ordered[-1]) == (ordered[-2], None)


def test_every_lesson_stands_in_one_section():
    listed = [lesson.slug for section in lessons.sections() for lesson in section.lessons]

    assert listed == list(lessons.lessons())


@pytest.mark.parametrize("cell_class", CellClass)
def test_every_class_has_a_lesson_under_its_own_name(cell_class):
    lesson = lessons.lessons()[cell_class.value.lower()]

    assert lesson.title == f"{cell_class.value} cells"


@pytest.mark.parametrize("cell_class", CellClass)
def test_the_short_form_describes_the_class_and_leads_to_the_lesson(cell_class, client):
    lesson = lessons.lessons()[cell_class.value.lower()]

    shown = client.get(reverse("lesson-summary", args=[lesson.slug])).content.decode()

    assert lesson.summary in shown
    assert f'href="/learn/{lesson.slug}/"' in shown
    assert [part.title for part in lesson.reference_parts] == [
        "Characteristics",
        "What a reader should consider",
        "Look-alikes",
    ]
    assert all(part.html in shown for part in lesson.reference_parts)
