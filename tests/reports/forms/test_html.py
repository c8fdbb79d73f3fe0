import re
from html.parser import HTMLParser

import pytest

from reports.compose import compose
from reports.forms import html
from reports.intake import check
from reports.schema import ResultRow, SampleRow

VOID = {"meta", "input", "br", "img", "link", "hr"}


class Page(HTMLParser):
    """The page as lists: start tags with attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def written(frames):
    return html.text(compose(check(frames.results, ResultRow), check(frames.samples, SampleRow), (frames.info,)))


@pytest.fixture(scope="module")
def text(frames):
    return written(frames)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def evil(hostile):
    return written(hostile)


def test_every_section_is_there_in_order(page):
    keys = [attributes["id"] for attributes in page.all("section")]
    assert keys == [
        "answer", "warnings", "implementations", "speedup", "scaling", "bytes", "memory", "error", "stability",
        "first-call", "without-figure", "environment", "reproduce",
    ]  # fmt: skip
    assert page.open == []


@pytest.mark.parametrize("which", ["text", "evil"])
def test_nothing_is_loaded_from_anywhere(which, request):
    page = Page(request.getfixturevalue(which))
    assert not page.all("link") + page.all("img") + page.all("iframe")
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "xlink:href"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "url(h" not in request.getfixturevalue(which)


@pytest.mark.parametrize("which", ["text", "evil"])
def test_no_id_twice_and_every_reference_leads_somewhere(which, request):
    page = Page(request.getfixturevalue(which))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("href", "aria-labelledby", "for"):
            if name in attributes:
                assert attributes[name].removeprefix("#") in ids


def test_a_hostile_plugin_is_text_and_nothing_else(evil, frames):
    page = Page(evil)
    assert len(page.all("script")) == 1
    assert "alert" not in "".join(page.texts["script"])
    assert "<img" not in evil
    assert "<script>alert(1)</script>" in "".join(page.texts["td"] + page.texts["span"] + page.texts["li"])
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]


def test_tables_have_captions_scopes_and_even_rows(page, text):
    tables = re.findall(r"<table.*?</table>", text, flags=re.DOTALL)
    assert len(tables) >= 12
    for table in tables:
        assert table.count("<caption>") == 1
        rows = [len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr>.*?</tr>", table, flags=re.DOTALL)]
        assert len(set(rows)) == 1
    assert all(attributes.get("scope") in {"row", "col"} for attributes in page.all("th"))


def test_every_scrolling_region_can_be_focused_and_has_a_name(page):
    regions = [one for one in page.all("div") if one.get("class") == "scroll"]
    assert regions
    assert all(one["tabindex"] == "0" and one["role"] == "region" and one["aria-label"] for one in regions)


def test_the_script_is_small(page):
    assert len("".join(page.texts["script"]).encode()) < 10_000


def test_without_run_json_and_samples_there_is_still_a_page(frames):
    document = compose(check(frames.results, ResultRow), check(frames.samples.head(0), SampleRow), ({},))
    page = Page(html.text(document))
    keys = {attributes["id"] for attributes in page.all("section")}
    assert {"answer", "speedup", "stability"} <= keys
    assert not {"warnings", "environment", "reproduce"} & keys


@pytest.mark.parametrize("rows", [0, 1, 4, 5])
def test_a_run_cut_short_has_a_page(frames, rows):
    document = compose(check(frames.results.head(rows), ResultRow), check(frames.samples, SampleRow), (frames.info,))
    assert Page(html.text(document)).open == []
