"""Lessons: the Markdown files of ``content/`` as values that a page shows. It knows no case."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from re import MULTILINE, split
from xml.etree.ElementTree import Element, SubElement  # Markdown's own tree, nothing foreign

from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown import Markdown
from markdown.extensions import Extension
from markdown.extensions.tables import TableExtension
from markdown.treeprocessors import Treeprocessor

CONTENT = Path(__file__).parent / "content"
WORDS_A_MINUTE = 200  # slow, because the words are new to the reader
REFERENCE = ("Characteristics", "What a reader should consider", "Look-alikes")


class BadLesson(Exception):
    """A content file that cannot be a lesson; the message names the file and what it lacks."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from; the address is empty where none is certain."""

    name: str
    year: int
    url: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A schematic drawing, and the text for each numbered mark that lies over it."""

    url: str
    marks_url: str
    alt: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading of a lesson."""

    anchor: str
    title: str
    html: SafeString


@dataclass(frozen=True, slots=True)
class Lesson:
    """One page to learn from."""

    slug: str
    title: str
    order: int
    section: str
    summary: str
    updated: date
    sources: tuple[Source, ...]
    opening: SafeString
    parts: tuple[Part, ...]
    figure: Figure | None

    @property
    def reading_minutes(self) -> int:
        text = " ".join([self.opening, *(part.html for part in self.parts)])
        return max(1, round(len(strip_tags(text).split()) / WORDS_A_MINUTE))

    @property
    def reference_parts(self) -> list[Part]:
        """The parts that help while looking at a cell; empty for a lesson about something else."""
        return [part for part in self.parts if part.title in REFERENCE]


@dataclass(frozen=True, slots=True)
class Section:
    """Lessons that belong together, in reading order."""

    title: str
    lessons: tuple[Lesson, ...]


@cache
def lessons() -> dict[str, Lesson]:
    """Every lesson by its slug, in reading order. Read once: a new text needs a new process."""
    found = [read(path.stem, path.read_text("utf-8")) for path in CONTENT.glob("*.md")]
    return {lesson.slug: lesson for lesson in sorted(found, key=lambda lesson: lesson.order)}


def sections() -> list[Section]:
    """The table of contents. A section stands where its first lesson stands."""
    titles = dict.fromkeys(lesson.section for lesson in lessons().values())
    return [
        Section(title, tuple(lesson for lesson in lessons().values() if lesson.section == title))
        for title in titles
    ]


def neighbours(lesson: Lesson) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after this one."""
    ordered = [None, *lessons().values(), None]
    place = ordered.index(lesson)
    return ordered[place - 1], ordered[place + 1]


def read(slug: str, text: str) -> Lesson:
    """Turn a content file into a lesson.

    The file opens with ``---``, lines of ``key: value`` (a key without a value is followed by a
    list of ``- item``), and ``---``; then Markdown, with a ``##`` for each part.

    Raises:
        BadLesson: a key is missing, a date or source is malformed, a link leads nowhere.

    """
    try:
        _, head, body = split(r"^---$\n?", text, maxsplit=2, flags=MULTILINE)
        facts = _front_matter(head)
        opening, *parts = split(r"^## +(.+)$", body, flags=MULTILINE)
        name = _word(facts, "figure", default="")
        return Lesson(
            slug=slug,
            title=_word(facts, "title"),
            order=int(_word(facts, "order")),
            section=_word(facts, "section"),
            summary=_word(facts, "summary"),
            updated=date.fromisoformat(_word(facts, "updated")),
            sources=tuple(_source(line) for line in facts["sources"]),
            opening=_html(opening),
            parts=tuple(
                Part(slugify(title), title, _html(content))
                for title, content in zip(parts[::2], parts[1::2], strict=True)
            ),
            figure=_figure(name, facts) if name else None,
        )
    except KeyError as error:
        raise BadLesson(f"{slug}.md has no {error.args[0]}") from error
    except ValueError as error:
        raise BadLesson(f"{slug}.md: {error}") from error


def _front_matter(head: str) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    values: list[str] = []
    for line in head.splitlines():
        if line.startswith("  - "):
            values.append(line.removeprefix("  - ").strip())
        else:
            key, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{line!r} is neither 'key: value' nor '  - item'")
            facts[key] = values = [value.strip()] if value.strip() else []
    return facts


def _word(facts: dict[str, list[str]], key: str, default: str | None = None) -> str:
    if default is not None and key not in facts:
        return default
    [value] = facts[key] or [""]
    if not value:
        raise KeyError(key)
    return value


def _source(line: str) -> Source:
    name, year, *url = (field.strip() for field in line.split("|"))
    return Source(name, int(year), "".join(url))


def _figure(name: str, facts: dict[str, list[str]]) -> Figure:
    return Figure(
        url=static(f"img/education/{name}.svg"),
        marks_url=static(f"img/education/{name}-marks.svg"),
        alt=_word(facts, "figure_alt"),
        marks=tuple(facts["marks"]),
    )


def _html(source: str) -> SafeString:
    tables = TableExtension(use_align_attribute=True)
    markdown = Markdown(extensions=[tables, "def_list", "sane_lists", "smarty", _Addresses()])
    return mark_safe(markdown.convert(source))  # noqa: S308 -- our own files, reviewed like code


class _Addresses(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 -- Markdown's name
        # after the inline patterns (20), which make the links and images that it changes
        md.treeprocessors.register(_AddressProcessor(md), "addresses", 15)


class _AddressProcessor(Treeprocessor):
    """``lesson:slug`` and ``figure:file`` become addresses, a lone image a figure.

    Tables get a frame that scrolls on a narrow screen, and that a keyboard can reach.
    """

    def run(self, root: Element) -> None:
        for link in root.iter("a"):
            scheme, _, slug = link.get("href", "").partition(":")
            if scheme == "lesson":
                if not (CONTENT / f"{slug}.md").is_file():
                    raise ValueError(f"no lesson is called {slug!r}")
                link.set("href", reverse("lesson", args=[slug]))
        for number, child in enumerate(list(root)):
            if child.tag == "table":
                root[number] = _scrolling(child)
            elif child.tag == "p" and len(child) == 1 and child[0].tag == "img":
                root[number] = _captioned(child[0])


def _scrolling(table: Element) -> Element:
    frame = Element("div", {"class": "table-scroll", "tabindex": "0", "role": "region"})
    frame.set("aria-label", "Table: " + ", ".join(_column_names(table)))
    for cell in table.iter("th"):
        cell.set("scope", "col")
    for cell in table.iter():
        if cell.attrib.pop("align", "") == "right":  # the content security policy forbids styles
            cell.set("class", "number")
    frame.append(table)
    return frame


def _column_names(table: Element) -> list[str]:
    return [name for cell in table.iter("th") if (name := "".join(cell.itertext()).strip())]


def _captioned(image: Element) -> Element:
    figure = Element("figure", {"class": "drawing"})
    file = image.get("src", "").removeprefix("figure:")
    shown = {"src": static(f"img/education/{file}"), "alt": image.get("alt", ""), "loading": "lazy"}
    SubElement(figure, "img", shown)
    SubElement(figure, "figcaption").text = image.get("title", "")
    return figure
