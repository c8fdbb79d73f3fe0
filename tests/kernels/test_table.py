"""The table's laws: unique names, known words, and a reason for each refusal."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import register, table

PROBLEM = dict(
    **dict.fromkeys("NCHWG", 6),
    **dict.fromkeys(("dtype", "weight_dtype"), "float32"),
    affine=True,
    eps=1e-5,
    layout="contiguous",
    direction="forward",
    activation="none",
    device="cpu",
)


def problem(**changes):
    return SimpleNamespace(**(PROBLEM | changes))


def entered(**options):
    """Register a function with these options and give its row."""

    @register("mine", **({"devices": ("cpu",)} | options))
    def mine(x, num_groups, weight, bias, eps, *, activation="none"):
        return x

    return table.get("mine")


def test_the_function_comes_back_unchanged(empty_table):
    def function(x, num_groups, weight, bias, eps): ...

    assert register("plain", devices=("cpu",))(function) is function
    assert table.get("plain").activations == ("none",)
    assert not table.get("plain").takes_out


def test_the_signature_tells_activations_and_out(empty_table):
    @register("rich", devices=("cpu",))
    def function(x, num_groups, weight, bias, eps, *, activation="none", out=None): ...

    row = table.get("rich")
    assert row.activations == ("none", "silu", "relu")
    assert row.takes_out
    assert row.place.startswith(f"{__file__}:")


def test_a_second_registration_names_both_places(empty_table):
    first = entered().place
    with pytest.raises(table.DuplicateName) as caught:
        entered()
    assert str(caught.value) == f"'mine' is registered twice: at {first} and at {first}; rename one of them"


@pytest.mark.parametrize("name", ["", "Mine", "1st", "two words", "a/b", "<b>", "né"])
def test_a_name_that_would_not_do_is_refused(empty_table, name):
    with pytest.raises(table.RegistrationError, match="a letter a-z first"):
        register(name, devices=("cpu",))


@given(st.from_regex(r"[a-z][a-z0-9_.-]*", fullmatch=True))
def test_any_other_name_will_do(name):
    assert callable(register(name, devices=("cpu",)))


def test_unknown_words_are_named_with_the_known(empty_table):
    with pytest.raises(table.RegistrationError, match="devices: 'gpu' is none of cpu, cuda"):
        entered(devices=("cpu", "gpu"))
    with pytest.raises(table.RegistrationError, match="dtypes: 'half' is none of float32, float16, bfloat16, float64"):
        entered(dtypes=("half",))
    with pytest.raises(table.RegistrationError, match=r"devices='cpu': a tuple of words is wanted, as \('cpu',\)"):
        entered(devices="cpu")
    assert not table.implementations()


def test_what_is_supported_is_not_refused(empty_table):
    assert entered().refusal(problem()) is None


@pytest.mark.parametrize(
    ("options", "asked", "status", "reason"),
    [
        ({}, {"device": "cuda"}, "unsupported", "device cuda: only cpu"),
        ({}, {"dtype": "float64"}, "unsupported", "dtype float64: only float32, float16, bfloat16"),
        (
            {"layouts": ("contiguous",)},
            {"layout": "channels_last"},
            "unsupported",
            "layout channels_last: only contiguous",
        ),
        ({"activations": ("none",)}, {"activation": "silu"}, "unsupported", "activation silu: only none"),
        ({}, {"direction": "backward"}, "unsupported", "no backward pass: neither differentiable nor backward= given"),
        ({"differentiable": True}, {"direction": "backward"}, None, None),
        ({}, {"direction": "training_forward"}, None, None),
        ({"supports": lambda p: "H is even" if p.H % 2 == 0 else None}, {}, "unsupported", "H is even"),
        ({"supports": lambda p: p.no_such}, {}, "unsupported", "its supports() raised AttributeError:"),
        ({"unavailable": lambda: "no\n  such chip"}, {}, "unavailable", "no such chip"),
        ({"unavailable": lambda: 1 / 0}, {}, "unavailable", "its unavailable() raised ZeroDivisionError:"),
    ],
)
def test_a_refusal_says_why(empty_table, options, asked, status, reason):
    refusal = entered(**options).refusal(problem(**asked))
    if status is None:
        assert refusal is None
        return
    assert refusal.status == status
    assert refusal.reason.startswith(reason)
    assert "\n" not in refusal.reason


def test_no_torch_at_import():
    code = (
        "import sys, kernels, kernels.table, kernels.discovery; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
