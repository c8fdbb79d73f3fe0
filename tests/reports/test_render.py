"""The page and its kin, written from a whole run."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from reports.intake import FrameError
from reports.render import FORMATS, FormatError, render
from reports.schema import Status


def written(frames, out, *formats):
    paths = render(frames.results, frames.samples, frames.info, formats=formats, out=out)
    return [path.read_text(encoding="utf-8") for path in paths]


@pytest.fixture(scope="module")
def page(frames, tmp_path_factory):
    return written(frames, tmp_path_factory.mktemp("page"), "html")[0]


def again(frames, run_id):
    """The same run under another name."""
    return replace(
        frames,
        results=frames.results.assign(run_id=run_id),
        samples=frames.samples.assign(run_id=run_id),
        info=frames.info | {"run_id": run_id},
    )


class Parsed(HTMLParser):
    """Elements, ids and whatever a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.fetched, self.handlers, self.text = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in {"src", "srcset", "action", "data", "poster"} or (name == "href" and tag in {"link", "image"}):
                self.fetched.append(value)
            if name.startswith("on"):
                self.handlers.append((tag, name, value))

    def handle_data(self, data):
        self.text.append(data)


def test_it_is_one_file_that_fetches_nothing(page):
    parsed = Parsed(page)
    assert parsed.fetched == []
    assert parsed.handlers == []
    assert not re.findall(r"url\((?!#)", page)
    assert "default-src 'none'" in page
    assert len(page) < 1_500_000


def test_no_two_elements_share_an_id(page):
    ids = Parsed(page).ids
    assert len(ids) == len(set(ids))


def test_every_reference_inside_the_page_resolves(page):
    ids = set(Parsed(page).ids)
    for target in re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', page):
        assert set(target.split()) <= ids


@pytest.mark.parametrize(
    "words",
    [
        "The answer",
        "Warnings about the machine",
        "Speed-up by problem",
        "Time against bytes moved",
        "Memory",
        "Numerical error",
        "Stability",
        "First call",
        "The machine and the run",
        "How to reproduce",
        "SIGSEGV in pass 2",
        "no CUDA device on this machine",
        "C is not divisible by G",
        "gnbench run --preset quick -C 320,640 --out 'my run'",
        "AMD EPYC 9R14",
    ],
)
def test_what_a_reader_looks_for_is_there(page, words):
    assert words in " ".join("".join(Parsed(page).text).split())


def test_latency_is_drawn_against_each_axis_that_varies(page):
    titles = " ".join(re.findall(r"<title[^>]*>([^<]*)</title>", page))
    for axis in "NCG":
        assert re.search(rf"against {axis}\b", titles), titles


def test_every_picture_says_its_finding_and_has_its_table(page):
    titles = re.findall(r"<svg[^>]*>\s*<title[^>]*>([^<]+)</title>", page)
    assert len(titles) == len(set(titles)) > 5
    assert all(re.search(r"\d", title) for title in titles)
    assert Parsed(page).tags.count("svg") <= Parsed(page).tags.count("table")


def test_every_picture_is_well_formed(page):
    for picture in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(picture)


def test_headings_go_down_one_at_a_time(page):
    levels = [int(tag[1]) for tag in Parsed(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert '<html lang="en"' in page


def test_a_wrong_row_is_not_ranked_and_its_status_is_shown(page):
    text = "".join(Parsed(page).text)
    assert "incorrect" in text
    assert "error 3.2e+01 ULP at (0, 1, 2, 3)" in text


def test_equal_frames_give_equal_bytes(frames, tmp_path):
    assert written(frames, tmp_path / "a", *FORMATS) == written(frames, tmp_path / "b", *FORMATS)


def test_nothing_hostile_is_more_than_text(hostile, tmp_path):
    page, markdown, latex, csv = written(hostile, tmp_path, "html", "md", "latex", "csv")
    own_scripts = Parsed(page).tags.count("script")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert Parsed(page).handlers == []
    assert own_scripts == Parsed(page).tags.count("script") <= 2
    assert "<script>alert(1)</script>" in "".join(Parsed(page).text)
    assert "<script>" not in re.sub(r"^(`{3,})sh$.*?^\1$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    assert "<script>" in csv
    assert r"\_\$x\$" in latex


def test_markdowns_tables_have_a_cell_for_each_column(hostile, tmp_path):
    (markdown,) = written(hostile, tmp_path, "md")
    for table in re.findall(r"(?:^\|.*\n?)+", markdown, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_csv_and_json_hold_every_row_with_nulls(frames, tmp_path):
    _, text = written(frames, tmp_path, "csv", "json")
    assert len(pd.read_csv(tmp_path / "report.csv")) == len(frames.results)
    assert "NaN" not in text
    assert "Infinity" not in text
    json.loads(text)


def test_runs_are_told_apart_when_there_are_several(frames, tmp_path):
    other = again(frames, "run-b")
    (path,) = render(
        pd.concat([frames.results, other.results]),
        pd.concat([frames.samples, other.samples]),
        [frames.info, other.info],
        formats=["html"],
        out=tmp_path,
    )
    text = path.read_text(encoding="utf-8")
    assert "run-a" in text
    assert "run-b" in text


@pytest.mark.parametrize("keep", ["native", "cuda", "nobody"])
def test_odd_frames_make_a_page_too(frames, tmp_path, keep):
    results = frames.results[frames.results["implementation"] == keep]
    samples = frames.samples[frames.samples["implementation"] == keep]
    (path,) = render(results, samples, {}, formats=["html"], out=tmp_path)
    assert "The answer" in path.read_text(encoding="utf-8")


def test_every_format_is_one_file_of_its_name_and_nothing_is_left_beside(frames, tmp_path):
    out = tmp_path / "new" / "folder"
    paths = render(frames.results, frames.samples, frames.info, formats=list(FORMATS), out=out)
    assert [path.name for path in paths] == ["report.html", "report.md", "report.csv", "report.tex", "report.json"]
    assert sorted(out.iterdir()) == sorted(paths)
    assert all(path.read_text(encoding="utf-8").strip() for path in paths)


def test_an_unknown_format_and_a_bad_frame_are_told_before_anything_is_written(frames, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(FormatError, match=r"^unknown format 'pdf'; known are html, md, csv, latex, json$"):
        render(frames.results, frames.samples, frames.info, formats=["html", "pdf"], out=out)
    with pytest.raises(FrameError):
        render(frames.results.assign(status="fine"), frames.samples, frames.info, formats=["md"], out=out)
    assert not out.exists()


def test_a_second_report_replaces_the_first(frames, tmp_path):
    (tmp_path / "report.md").write_text("old")
    render(frames.results, frames.samples, frames.info, formats=["md"], out=tmp_path)
    assert "Of 8 problems" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_reported(frames, status, tmp_path):
    results = frames.results.copy()
    results.loc[results["implementation"] == "naive", "status"] = status
    (path,) = render(results, frames.samples, frames.info, formats=["md"], out=tmp_path)
    assert status == Status.OK or status.replace("_", " ") in path.read_text(encoding="utf-8")
