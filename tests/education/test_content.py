"""What the lessons say: complete, with sources, and free of the errors such pages usually have."""

import re
from html import unescape

import pytest
from django.contrib.staticfiles import finders
from django.utils.html import strip_tags

from education import lessons
from inference.labels import CellClass

LESSONS = list(lessons.lessons().values())
SLUGS = [lesson.slug for lesson in LESSONS]
HEADINGS = [
    "Description",
    "Significance",
    "Characteristics",
    "What a reader should consider",
    "Look-alikes",
]


def words(lesson):
    """All that a lesson says, with table cells and list items ended like sentences."""
    html = " ".join([lesson.summary, lesson.opening, *(part.html for part in lesson.parts)])
    ended = re.sub(r"</(td|th|li|p|dd|dt|figcaption)>", ". ", html)
    return re.sub(r"\s+", " ", unescape(strip_tags(ended)))


@pytest.mark.parametrize("lesson", LESSONS, ids=SLUGS)
def test_a_lesson_is_complete(lesson):
    assert lesson.title
    assert lesson.order > 0
    assert 40 < len(lesson.summary) < 200
    assert lesson.sources
    assert all(1900 < source.year < 2100 for source in lesson.sources)
    assert all(source.url.startswith("https://") for source in lesson.sources if source.url)
    assert len({part.anchor for part in lesson.parts}) == len(lesson.parts) > 0
    assert "sources" not in {part.anchor for part in lesson.parts}


@pytest.mark.parametrize("cell_class", CellClass)
def test_a_class_is_described_under_the_same_five_headings(cell_class):
    lesson = lessons.lessons()[cell_class.value.lower()]

    assert [part.title for part in lesson.parts] == HEADINGS
    assert all(len(strip_tags(part.html).split()) > 25 for part in lesson.parts)


@pytest.mark.parametrize("cell_class", CellClass)
def test_a_class_has_a_schematic_drawing_with_a_text_alternative_and_marks(cell_class):
    figure = lessons.lessons()[cell_class.value.lower()].figure

    assert len(figure.alt) > 40
    marks = finders.find(figure.marks_url.removeprefix("/static/"))
    with open(marks, encoding="utf-8") as drawing:  # noqa: PTH123 -- finders give a string
        assert drawing.read().count("<text") == len(figure.marks)


@pytest.mark.parametrize("cell_class", CellClass)
def test_a_class_is_called_abnormal_exactly_where_the_data_set_does(cell_class):
    lesson = lessons.lessons()[cell_class.value.lower()]
    [significance] = [part for part in lesson.parts if part.title == "Significance"]

    called_abnormal = "<strong>abnormal</strong> class" in significance.html

    assert called_abnormal == cell_class.is_abnormal


# What such pages often get wrong, each with a sentence that must be caught.
ERRORS = {
    "one interval for everyone": (
        r"every (three|3) years[^.]*\b(all|everyone)\b|\b21\s?([-\u2013]|to|and)\s?65\b",
        "A Pap test is advised every three years for all women from 21 to 65.",
    ),
    "stopping at 65 without a condition": (
        r"\bstop\w*( \w+){0,3} (at|after) (age )?65\b(?!,? if)",
        "Women may stop screening at 65.",
    ),
    "a share of deaths avoided without a source": (
        r"\b60\s?(%|per ?cent)?\s?([-\u2013]|to)\s?90\s?(%|per ?cent)",
        "Screening lowers mortality by 60-90 %.",
    ),
    "the network's input taken for the size of the pictures": (
        (
            r"(crops?|images?|pictures?|cells?)( \w+){0,3} (are|is|of|have)(?! brought)"
            r"[^.]{0,30}\b(192|224)"
        ),
        "The data set holds 4,049 images of 192 x 192 pixels.",
    ),
    "the parameters of the network with 1000 classes": (
        r"\b5\.3 million\b(?![^.]*\b1,?000\b)",
        "EfficientNet-B0 has 5.3 million parameters.",
    ),
    "normal cells called a risk": (
        r"(parabasal|metaplas)[^.]*\b(raise|increase|higher|elevated|at)\w*\b[^.]{0,20}\brisk",
        "Metaplastic cells mean a higher risk of cancer.",
    ),
}


@pytest.mark.parametrize(("pattern", "wrong"), ERRORS.values(), ids=ERRORS)
def test_a_common_error_would_be_caught(pattern, wrong):
    assert re.search(pattern, wrong, re.IGNORECASE)


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in ERRORS.values()], ids=ERRORS)
@pytest.mark.parametrize("lesson", LESSONS, ids=SLUGS)
def test_no_lesson_repeats_a_common_error(lesson, pattern):
    assert re.findall(rf"[^.]*(?:{pattern})[^.]*", words(lesson), re.IGNORECASE) == []


@pytest.mark.parametrize("cell_class", CellClass)
def test_the_lesson_of_a_class_advises_no_test_or_treatment(cell_class):
    advice = (
        r"colposcop|biops|HPV[- ]test|vaccin|follow-up|repeat (smear|test|screen)|\bCIN|excision"
    )

    lesson = lessons.lessons()[cell_class.value.lower()]

    assert re.findall(advice, words(lesson), re.IGNORECASE) == []


@pytest.mark.parametrize(
    ("slug", "fact"),
    [
        ("koilocytotic", "neither which type of HPV is present nor the grade"),
        ("dyskeratotic", "referred to a pathologist"),
        ("dyskeratotic", "carries no grade"),
        ("superficial-intermediate", "does not prove that the specimen is negative"),
        ("parabasal", "HSIL. Small cells with much nucleus"),
        ("metaplastic", "ASC-H and HSIL. Immature metaplasia mimics them"),
        ("risk-factors", "Persistent infection with a high-risk type of human papillomavirus"),
        ("risk-factors", "HIV. About six-fold risk"),
        ("risk-factors", "about 660,000 women"),
        ("risk-factors", "about 350,000 died"),
        ("screening-guidelines", "January 2026. 21\N{EN DASH}29. Cytology every 3 years."),
        (
            "screening-guidelines",
            "30\N{EN DASH}65. Primary HPV test every 5 years, preferred; self-collection",
        ),
        (
            "screening-guidelines",
            "25\N{EN DASH}65. Primary HPV test every 5 years; on a self-collected sample",
        ),
        (
            "screening-guidelines",
            "Only after negative HPV tests (or co-tests) at 60 and 65, or three",
        ),
        ("screening-guidelines", "After 65, if adequately screened"),
        ("screening-guidelines", "England, July 2025. 25\N{EN DASH}64."),
        ("screening-guidelines", "WHO, 2021. from 30; from 25 with HIV."),
        ("screening-guidelines", "4 % or more"),
        ("network", "about 4.0 million"),
        ("network", "from about 60 to 550 pixels"),
        ("network", "At random, cell by cell. 91.4 %."),
        ("network", "By contiguous fifths of each class. 82.1 %."),
    ],
)
def test_a_fact_stands_on_its_page(slug, fact):
    assert fact in words(lessons.lessons()[slug])
