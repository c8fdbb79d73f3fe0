"""The page of a study, from trials with planted truths and claims made up here."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pandas as pd
import pytest
from planted_trials import EPOCH_COLUMNS, FACTS, curves, make

from reports import study
from reports import study_views as found
from reports.figures import importance as importance_figure
from reports.figures import norms, parallel, steps, svg
from reports.style import TINTS, looks

EVIL = "<script>alert(1)</script>"
NORMS = (("none", None), ("batch", None), ("layer", 1), ("group", 4), ("group", 8), ("instance", None))
IMPORTANCE = pd.DataFrame(
    {
        "variable": ["norm", "batch_size", "seed"],
        "importance": [0.6, 0.02, 0.01],
        "low": [0.5, 0.0, 0.0],
        "high": [0.7, 0.05, 0.03],
        "trials": 72,
        "target": "validation_accuracy",
        "method": "permutation",
    }
)


def claim(key, **given):
    named = {
        "key": key, "question": "Does group norm with 8 groups beat batch norm?", "answer": "yes", "unit": "accuracy",
        "sentence": f"A sentence on {key}.", "estimate": 0.01, "low": 0.004, "high": 0.016, "level": 0.95,
        "comparisons": 1, "pairs": 4, "smallest": 0.007, "margin": None, "budget": "epochs", "batch_size": None,
    }  # fmt: skip
    return named | given


CLAIMS = [
    claim("beats"),
    claim("beats", budget="updates", answer="undecided", low=-0.001),
    claim("beats_at_batch", batch_size=2),
    claim("faster", unit="ratio", estimate=1.5, low=1.4, high=1.6, smallest=1.05, budget=None),
]


@pytest.fixture(scope="module")
def trials():
    frame = make(
        norms=NORMS, sizes=(2, 32), seeds=2, folds=1, budgets=("epochs", "updates"), implementations=("native", "cpp"),
        effect=lambda row: 0.02 * (row["groups"] == 8) - 0.6 * (row["norm"] == "none" and row["batch_size"] == 32),
    )  # fmt: skip
    frame.loc[0, ["status", "reason"]] = ["failed", "loss is not finite"]
    return frame


@pytest.fixture(scope="module")
def written(trials, tmp_path_factory):
    return study.write(
        trials, curves(trials), FACTS, tmp_path_factory.mktemp("study"), claims=CLAIMS, importance=IMPORTANCE
    )


@pytest.fixture(scope="module")
def page(written):
    return written[0].read_text(encoding="utf-8")


class Page(HTMLParser):
    """Fails where an element is closed that is not the last opened."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.ids = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_its_sections_stand_in_order(page):
    parsed = Page(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert [attributes["id"] for tag, attributes in parsed.tags if tag == "section"] == [
        "answer", "claims", "parallel", "importance", "batch-size", "curves", "steps", "status", "data", "environment",
        "reproduce",
    ]  # fmt: skip


def test_without_javascript_every_trial_is_a_line_and_a_row(page, trials):
    shown = page.split('<section id="parallel"')[1].split("</section>")[0]
    assert sorted(map(int, re.findall(r'id="picture-parallel-line-(\d+)"', shown))) == list(trials["trial"][1:])
    assert shown.count("<tr>") == 1 + len(trials) - 1
    assert "no groups" in shown
    assert 'role="group" aria-label="Filter trials by axis" hidden>' in shown
    assert "DOMPoint" in page


def test_only_a_page_with_a_brush_carries_its_script(trials):
    page = study.html.text(study.compose(trials.iloc[:1], curves(trials.iloc[:1]), FACTS))
    assert "DOMPoint" not in page
    assert "no completed trial" in page


def test_the_answer_comes_first_and_claims_are_sentences_with_figures(page, written):
    first = "Does group norm with 8 groups beat batch norm? At fixed epochs: yes; at fixed updates: undecided."
    assert f'<p class="first">{first}</p>' in page
    assert "<p>A sentence on faster.</p>" in page
    text = written[1].read_text(encoding="utf-8")
    assert text.startswith("# GroupNorm study\n")
    assert "| fixed epochs | yes | \\+1.00 points | \\[\\+0.40, \\+1.60\\] | 95 % | 1 | 4 | \\+0.70 points |" in text
    assert "| – | yes | 1.500× | \\[1.400, 1.600\\] | 95 % | 1 | 4 | 1.050× |" in text
    assert "| fixed epochs | 2 | yes | A sentence on beats\\_at\\_batch. |" in text
    assert "Nadeau and Bengio 2003" in text


def test_what_became_of_trials_and_the_facts_are_told(page):
    for words in (
        "loss is not finite",
        "AMD EPYC 9R14",
        "scikit-learn load_digits",
        "gnbench study --out &#39;my study&#39;",
    ):
        assert words in page


def test_markdown_has_the_most_accurate_trials_alone(written, trials):
    text = written[1].read_text(encoding="utf-8")
    assert f"the {study.MOST_ROWS} most accurate of {len(trials) - 1}" in text
    assert "<svg" not in text


def test_what_data_and_plugins_say_is_escaped(trials, tmp_path):
    evil = trials.iloc[:20].assign(reason=EVIL, data=EVIL)
    evil["implementation"] = evil["implementation"].where(evil["implementation"].isna(), EVIL)
    facts = FACTS | {"data": {"name": EVIL}, "warnings": [EVIL]}
    asked = [claim("beats", sentence=EVIL)]
    page, text = study.write(evil, curves(evil), facts, tmp_path, claims=asked)
    assert EVIL not in page.read_text()
    assert EVIL not in text.read_text()


def test_a_study_without_a_trial_has_a_page(trials, tmp_path):
    empty = pd.DataFrame(columns=EPOCH_COLUMNS)
    page, _ = study.write(trials.iloc[:0], empty, {}, tmp_path)
    assert "0 of 0" in page.read_text()


def test_tuning_trials_alone_are_shown_by_their_validation_accuracy():
    document = study.compose(make(purpose="tune", seeds=1, folds=1), pd.DataFrame(columns=EPOCH_COLUMNS), {})
    assert [section.key for section in document.sections] == ["parallel", "steps", "status", "environment"]
    assert "its last axis is accuracy on validation data" in document.sections[0].pictures[0].reading


def test_importance_is_read_against_the_seed(trials):
    document = study.compose(trials, curves(trials), FACTS, importance=IMPORTANCE)
    (picture,) = next(one for one in document.sections if one.key == "importance").pictures
    assert picture.finding == "Above the noise over seeds: norm"


@pytest.fixture(scope="module")
def pictures(trials):
    named = found.completed(trials)
    shown, by_batch, times = found.shown(named), found.by_batch(named, "epochs"), found.steps(named)
    return {
        "parallel": lambda: parallel.draw(shown, parallel.layout(shown)),
        "batch": lambda: norms.draw(by_batch, "batch_size", "batch size"),
        "curve": lambda: norms.draw(found.curves(named, curves(trials), "epochs", 2), "epoch", "epoch"),
        "importance": lambda: importance_figure.draw(IMPORTANCE),
        "steps": lambda: steps.draw(times, looks(times["who"])),
    }


@pytest.mark.parametrize("name", ["parallel", "batch", "curve", "importance", "steps"])
def test_every_colour_of_a_picture_has_a_dark_variant(pictures, name):
    root = ET.fromstring(svg.inline(pictures[name](), name, "t"))
    used = {one.attrib[what] for one in root.iter() for what in ("fill", "stroke") if what in one.attrib} - {"none"}
    assert used
    assert used <= {tint.light for tint in TINTS}


def test_the_script_finds_lines_where_the_layout_puts_them(trials):
    """The page's script reads a line's places off its path: x and y in turn, in the points of ``Axis.ticks``."""
    shown = found.shown(found.completed(trials))
    placed = parallel.layout(shown)
    root = ET.fromstring(svg.inline(parallel.draw(shown, placed), "p", "t"))
    drawn = {one.attrib["id"]: one for one in root.iter() if one.attrib.get("id", "").startswith("p-line-")}
    for number, line in zip(shown["trial"], placed.lines, strict=True):
        path = drawn[f"p-line-{number}"][0].attrib["d"]
        numbers = [float(one) for one in re.findall(r"-?[\d.]+", path)]
        assert numbers[0::2] == pytest.approx([axis.x for axis in placed.axes])
        assert numbers[1::2] == pytest.approx(line)


def test_lines_stand_at_their_ticks_the_most_accurate_at_the_top(trials):
    shown = found.shown(found.completed(trials))
    placed = parallel.layout(shown)
    norm, groups, *_, accuracy = placed.axes
    assert [label for label, _ in norm.ticks] == ["none", "batch", "layer", "group", "instance"]
    assert [label for label, _ in groups.ticks] == ["no groups", "1", "4", "8", "a channel each"]
    at = dict(norm.ticks)
    for name, line in zip(shown["norm"], placed.lines, strict=True):
        assert min(at, key=lambda one: abs(at[one] - line[0])) == name
    own = [line[0] for name, line in zip(shown["norm"], placed.lines, strict=True) if name == "group"]
    assert own == sorted(own)
    assert [line[-1] for line in placed.lines] == sorted(line[-1] for line in placed.lines)
    assert accuracy.ticks[0][0].startswith("≤ ")  # networks that learnt nothing do not press the others together


@pytest.mark.parametrize("many", [1, 2])
def test_one_trial_or_equal_ones_can_be_drawn(trials, many):
    shown = found.shown(found.completed(trials.iloc[2 : 2 + many].assign(validation_accuracy=0.5)))
    assert svg.inline(parallel.draw(shown, parallel.layout(shown)), "p", "t").count("p-line-") == many


def test_bands_reach_from_the_lowest_seed_to_the_highest():
    frame = make(norms=(("batch", None),), sizes=(8,), seeds=2, folds=2, shared=0, noise=0)
    frame["accuracy"] = [0.5, 0.7, 0.8, 1.0]  # seed 0 with its folds, seed 1 with its folds
    (row,) = found.by_batch(found.completed(frame), "epochs").to_dict("records")
    assert (row["low"], row["mean"], row["high"], row["seeds"]) == (pytest.approx(0.6), pytest.approx(0.75), 0.9, 2)


def test_of_the_numbers_of_groups_one_is_drawn():
    named = found.completed(make(norms=(("none", None), ("group", 2), ("group", 16), ("group", 4)), seeds=1, folds=1))
    assert found.drawn_options(named) == ["none", "group 4"]


def test_implementations_are_timed_on_the_norms_that_all_of_them_computed():
    frame = make(seeds=1, folds=1, sizes=(8,), implementations=("native", "cpp"), step_s=lambda row: row["groups"] or 1)
    alone = frame[(frame["implementation"] != "cpp") | (frame["groups"] == 8)]
    times = found.steps(found.completed(alone)).set_index("who")
    assert times.loc["native", "step_s"] == times.loc["cpp", "step_s"] == 8
    assert times.loc["native", "trials"] == 1


def test_a_single_epoch_is_no_curve(trials):
    document = study.compose(trials, curves(trials, epochs=1), FACTS)
    assert "curves" not in [section.key for section in document.sections]
