"""The public pages, as a visitor without an account gets them: without a single query."""

from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import urldefrag

import pytest
from django.contrib.staticfiles import finders
from django.urls import resolve, reverse

from education import lessons
from inference.labels import CellClass

PAGES = [reverse("education"), *(reverse("lesson", args=[slug]) for slug in lessons.lessons())]
SUMMARIES = [reverse("lesson-summary", args=[slug]) for slug in lessons.lessons()]
DISCLAIMER = "Research and education only, not for diagnosis."


class Page(HTMLParser):
    """The headings, links, identifiers and pictures of a page, and its inline code."""

    def __init__(self, html):
        super().__init__()
        self.levels, self.links, self.anchors, self.pictures, self.inline = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in {"h1", "h2", "h3", "h4"}:
            self.levels.append(int(tag[1]))
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.pictures.append(found)
        if "id" in found:
            self.anchors.append(found["id"])
        if tag == "style" or (tag == "script" and "src" not in found) or "style" in found:
            self.inline.append(tag)


def test_there_is_a_page_for_every_content_file():
    files = {path.stem for path in lessons.CONTENT.iterdir()}

    assert set(lessons.lessons()) == files
    assert {cell_class.value.lower() for cell_class in CellClass} < files


@pytest.mark.parametrize("url", [*PAGES, *SUMMARIES])
def test_anyone_may_read_it(client, url):
    answer = client.get(url)

    assert answer.status_code == 200
    assert client.head(url).status_code == 200
    assert client.post(url).status_code == 405


@pytest.mark.parametrize("name", ["lesson", "lesson-summary"])
def test_an_unknown_lesson_is_not_found(client, name):
    answer = client.get(reverse(name, args=["endometrial"]))

    assert answer.status_code == 404


@pytest.mark.parametrize("url", PAGES)
def test_a_page_carries_the_disclaimer(client, url):
    assert DISCLAIMER in client.get(url).content.decode()


@pytest.mark.parametrize("url", PAGES)
def test_a_page_has_one_main_heading_and_skips_no_level(client, url):
    levels = Page(client.get(url).content.decode()).levels

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


@pytest.mark.parametrize("url", [*PAGES, *SUMMARIES])
def test_every_internal_link_leads_somewhere(client, url):
    page = Page(client.get(url).content.decode())

    for link in page.links:
        target, anchor = urldefrag(link)
        if target.startswith("/"):
            resolve(target)
        if target in PAGES:
            there = Page(client.get(target).content.decode())
            assert not anchor or anchor in there.anchors
        elif not target:
            assert anchor in page.anchors
    assert len(page.anchors) == len(set(page.anchors))


@pytest.mark.parametrize("url", [*PAGES, *SUMMARIES])
def test_every_picture_exists_and_has_a_text_alternative(client, url):
    for picture in Page(client.get(url).content.decode()).pictures:
        assert finders.find(picture["src"].removeprefix("/static/")), picture["src"]
        assert "alt" in picture


@pytest.mark.parametrize("url", [*PAGES, *SUMMARIES])
def test_nothing_is_inline_that_the_content_security_policy_would_block(client, url):
    assert Page(client.get(url).content.decode()).inline == []


@pytest.mark.parametrize("slug", lessons.lessons())
def test_a_lesson_shows_its_parts_and_its_sources_with_their_years(client, slug):
    lesson = lessons.lessons()[slug]

    html = client.get(reverse("lesson", args=[slug])).content.decode()

    assert all(f'<a href="#{part.anchor}">' in html for part in lesson.parts)
    assert all(f'<h2 id="{part.anchor}">' in html for part in lesson.parts)
    sources = html.partition('<h2 id="sources">')[2]
    assert all(str(source.year) in sources for source in lesson.sources)
    assert all(source.url.replace("&", "&amp;") in sources for source in lesson.sources)


def test_a_summary_is_a_fragment_that_may_be_kept_and_asked_for_again(client):
    url = reverse("lesson-summary", args=["koilocytotic"])

    first = client.get(url)
    again = client.get(url, headers={"if-none-match": first["ETag"]})

    assert "<html" not in first.content.decode()
    assert first["Cache-Control"] == "public, max-age=3600"
    assert again.status_code == 304
