import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.plan import axes
from bench.plan.problem import ProblemError

POSITIVE = st.integers(1, 10**17)


@given(st.lists(POSITIVE, min_size=1, unique=True), st.sampled_from([",", ", ", " ,"]))
def test_sizes_reads_back_what_was_written(values, comma):
    assert axes.sizes(comma.join(map(str, values)), "-N") == tuple(values)


@given(st.text(max_size=12))
def test_sizes_gives_positive_whole_numbers_or_a_usage_error_that_names_the_argument(text):
    try:
        found = axes.sizes(text, "-N")
    except UsageError as error:
        found = error
    if isinstance(found, UsageError):
        assert found.argument == "-N"
    else:
        assert found
        assert all(type(value) is int and value > 0 for value in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,zwei", "-N: 'zwei' is not a whole number of at most 18 digits; give whole numbers from 1"),
        ("1.5", "-N: '1.5' is not a whole number of at most 18 digits; give whole numbers from 1"),
        ("9" * 5000, f"-N: '{'9' * 5000}' is not a whole number of at most 18 digits; give whole numbers from 1"),
        ("0", "-N: 0 is below 1; give whole numbers from 1"),
        ("4,-2", "-N: -2 is below 1; give whole numbers from 1"),
        ("", "-N: is empty; give one value or a comma list, as 1,2,4"),
        ("1,,2", "-N: '1,,2' has an empty place between commas; give one value or a comma list, as 1,2,4"),
    ],
)
def test_sizes_says_what_is_wrong(text, message):
    with pytest.raises(UsageError) as raised:
        axes.sizes(text, "-N")
    assert str(raised.value) == message


def test_equal_values_are_one():
    assert axes.sizes("4,1,4", "-N") == (4, 1)
    assert axes.groups("C,c,32,032", "-G") == ("C", "32")


def test_groups_are_written_in_one_way():
    assert axes.groups(" 32, 1 ,c,C/16,c / 016", "-G") == ("32", "1", "C", "C/16")


@pytest.mark.parametrize("text", ["0", "-1", "C/0", "16/C", "C/", "/16", "C16", "D", "C/1.5", "", "1,"])
def test_groups_refuses_what_is_no_number_of_groups(text):
    with pytest.raises(UsageError, match=r"^-G: "):
        axes.groups(text, "-G")


@given(st.integers(1, 10**6), st.integers(1, 10**3))
def test_groups_of_k_channels_hold_k_channels(G, channels):
    assert axes.resolve_groups(f"C/{channels}", G * channels) == G


def test_resolve_groups():
    assert axes.resolve_groups("32", 320) == 32
    assert axes.resolve_groups("C", 320) == 320
    with pytest.raises(ProblemError, match="C = 30 is not divisible by 16, so G = C/16 is not a whole number"):
        axes.resolve_groups("C/16", 30)


def test_a_misspelt_word_gets_its_neighbour():
    with pytest.raises(UsageError) as raised:
        axes.READERS["dtype"]("float32,bfloat61", "--dtype")
    assert str(raised.value) == "--dtype: 'bfloat61' is unknown; did you mean 'bfloat16'?"


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_numbers_reads_back_what_repr_wrote(value):
    assert axes.numbers(repr(value), "--eps") == (value,)


@pytest.mark.parametrize("text", ["0", "-1e-5", "nan", "inf", "1e999", "small", "1e-5,"])
def test_numbers_refuses_what_is_no_positive_number(text):
    with pytest.raises(UsageError, match=r"^--eps: "):
        axes.numbers(text, "--eps")


def test_booleans():
    assert axes.booleans("true,no", "--affine") == (True, False)
    assert axes.booleans("Yes,ON,1", "--affine") == (True,)
    with pytest.raises(UsageError, match="--affine: 'maybe' is unknown"):
        axes.booleans("maybe", "--affine")


def test_part():
    assert axes.part("2/4", "--shard") == (2, 4)
    for text in ("2", "2/", "/4", "0/4", "a/b", "1/2/3"):
        with pytest.raises(UsageError, match=r"^--shard: "):
            axes.part(text, "--shard")
