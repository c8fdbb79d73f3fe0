import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.compose import compose
from reports.forms import markdown
from reports.intake import check
from reports.schema import ResultRow, SampleRow


def written(frames):
    return markdown.text(compose(check(frames.results, ResultRow), check(frames.samples, SampleRow), (frames.info,)))


@pytest.mark.parametrize("which", ["frames", "hostile"])
def test_every_row_of_a_table_has_as_many_columns(which, request):
    blocks = re.findall(r"(?:^\|.*\|\n)+", written(request.getfixturevalue(which)), flags=re.MULTILINE)
    assert len(blocks) >= 12
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_hostile_text_keeps_no_meaning(hostile):
    outside_fences = re.sub(r"^(`{3,})sh\n.*?\n\1$", "", written(hostile), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"(?<!\\)<", outside_fences)
    assert not re.search(r"(?<!\\)`", outside_fences)
    assert "https://" not in outside_fences


@given(st.text())
def test_an_escaped_text_is_one_line_without_bare_specials(words):
    escaped = markdown.escape(words)
    assert not re.search(r"[\r\n]", escaped)
    assert not re.search(r"[<>|`*_\[\]]", re.sub(r"\\.", "", escaped))


def test_the_answer_comes_first(frames):
    lines = [line for line in written(frames).splitlines() if line]
    assert lines[0] == "# GroupNorm benchmark"
    assert lines[2].startswith("Of 8 problems, cpp is fastest")
