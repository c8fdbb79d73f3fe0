import re

from hypothesis import given
from hypothesis import strategies as st

from reports.compose import compose
from reports.forms import latex
from reports.intake import check
from reports.schema import ResultRow, SampleRow


def test_tables_open_close_and_have_even_rows(hostile):
    text = latex.text(compose(check(hostile.results, ResultRow), check(hostile.samples, SampleRow), (hostile.info,)))
    tables = re.findall(r"\\begin\{longtable\}\{([lr]+)\}\n(.*?)\\end\{longtable\}", text, flags=re.DOTALL)
    assert len(tables) == text.count(r"\begin{longtable}") >= 10
    for flush, body in tables:
        for row in re.findall(r"^(.*) \\\\$", body, flags=re.MULTILINE):
            assert len(re.findall(r"(?<!\\)&", row)) == len(flush) - 1


@given(st.text())
def test_braces_balance_and_no_special_is_bare(words):
    escaped = latex.escape(words)
    bare = re.sub(r"\\[{}&%$#_]", "", escaped)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[&%$#_~^]", bare)
