import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.plan.block import blocks
from bench.plan.config import Settings, load_config, load_preset, preset_names
from bench.plan.cost import estimate
from bench.plan.sweep import Axes, Sweep, expand

SHAPE = "N = 2\nC = 32\nH = 4\nW = 5\nG = 8\n"


@pytest.fixture
def load(tmp_path):
    def written(text):
        path = tmp_path / "shapes.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return written


@pytest.fixture
def error_of(load):
    def asked(text):
        with pytest.raises(UsageError) as raised:
            load(text)
        return str(raised.value).partition("shapes.toml: ")[2]

    return asked


def test_values_lists_and_comma_lists_are_the_same(load):
    one = load(
        '[sweep]\nN = [1, 2]\nC = 32\nH = "4"\nW = [5]\nG = ["C", "C/16", 8]\neps = 1e-6\naffine = [true, false]'
    )
    two = load('[sweep]\nN = "1,2"\nC = "32"\nH = 4\nW = 5\nG = "C,C/16,8"\neps = "1e-6"\naffine = "yes,no"')
    expected = Axes(N=(1, 2), C=(32,), H=(4,), W=(5,), G=("C", "C/16", "8"), eps=(1e-6,), affine=(True, False))
    assert one == two
    assert one.sweep == Sweep(entries=(expected,), device="cpu")
    assert one.settings == Settings()


def test_the_sweep_comes_before_the_problems(load):
    config = load(f'[[problem]]\n{SHAPE}count = 4\nsource = "a"\n[[problem]]\n{SHAPE}[sweep]\n{SHAPE}device = "cuda"')
    assert [(entry.count, entry.source) for entry in config.sweep.entries] == [(1, ""), (4, "a"), (1, "")]
    assert config.sweep.device == "cuda"


def test_settings_alone_leave_the_sweep_empty(load):
    config = load(
        '[settings]\nbudget_s = 3\npasses = 2\nimpl = ["native", "cpp"]\nexclude = "naive, compiled"\nshard = "2/4"\n'
        'plugins = ["a,b.py"]\ncache = "cold"\ntimer = "host"\nseed = 0\nthreads = 2\nreference = "cpp"\n'
        "sustained = true"
    )
    assert config.sweep.entries == ()
    assert config.settings == Settings(
        budget_s=3.0,
        passes=2,
        impl=("native", "cpp"),
        exclude=("naive", "compiled"),
        shard=(2, 4),
        plugins=("a,b.py",),
        cache="cold",
        timer="host",
        sustained=True,
        threads=2,
        reference="cpp",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f'[[problem]]\n{SHAPE}[[problem]]\n{SHAPE}[[problem]]\n{SHAPE}layuot = "channels_last"',
            "problem[2].layuot: is an unknown key; did you mean 'layout'?",
        ),
        ("[sweeps]", "sweeps: is an unknown key; did you mean 'sweep'?"),
        ("[settings]\nbudget = 3", "settings.budget: is an unknown key; did you mean 'budget_s'?"),
        ("[sweep]\nN = 1", "sweep: C is missing; add C = 1 or a list"),
        (f"[sweep]\n{SHAPE}eps = 0", "sweep.eps: '0' is not positive and finite; give positive numbers, as 1e-5"),
        (f"[sweep]\n{SHAPE}eps = nan", "sweep.eps: 'nan' is not positive and finite; give positive numbers, as 1e-5"),
        ("[sweep]\nN = 1.5", "sweep.N: '1.5' is not a whole number of at most 18 digits; give whole numbers from 1"),
        ("[sweep]\nN = []", "sweep.N: is empty; give one value or a comma list, as 1,2,4"),
        (
            "[sweep]\nN = 2026-11-24",
            "sweep.N: datetime.date(2026, 11, 24) is no value of an axis; give a number, a word or a list of them",
        ),
        (f"[sweep]\n{SHAPE}source = 3", "sweep.source: 3 is no text; put it in quotes"),
        (f"[sweep]\n{SHAPE}count = 0", "sweep.count: 0 is below 1; give whole numbers from 1"),
        ('[sweep]\ndevice = "cdua"', "sweep.device: 'cdua' is unknown; did you mean 'cuda'?"),
        ('[sweep]\ndevice = "cpu,cuda"', "sweep.device: names two devices; give one"),
        (f"[problem]\n{SHAPE}", "problem: is one table; write [[problem]], once for each"),
        ("problem = [3]", "problem[0]: is 3; make it a table of keys and values"),
        ("settings = 3", "settings: is 3; make it a table of keys and values"),
        ("[settings]\npasses = 0", "settings.passes: 0 is below 1; give a whole number from 1"),
        ("[settings]\nimpl = [1]", 'settings.impl: [1] is no list of names; give names, as ["native", "cpp"]'),
        ('[settings]\ncache = "hot"', "settings.cache: 'hot' is unknown; known are cold, warm"),
        ('[settings]\nshard = "5/4"', "settings.shard: there is no part 5 of 4; give it as 2/4, the second of four"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_path(error_of, text, message):
    assert error_of(text) == message


def test_what_is_no_file_of_toml(tmp_path):
    with pytest.raises(UsageError, match=r"--config: .*none.toml cannot be read \(No such file or directory\)"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(UsageError, match=r"--config: .* cannot be read"):
        load_config(tmp_path)
    for content in (b"N = ", b"\xff\xfe\x00"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(UsageError, match=r"--config: .*bad.toml is not TOML \("):
            load_config(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("budget_s", 0, "--budget: 0 is not positive and finite; give a positive number"),
        ("budget_s", float("inf"), "--budget: inf is not positive and finite; give a positive number"),
        ("precision_percent", -1, "--precision: -1 is not positive and finite; give a positive number"),
        ("cell_timeout_s", float("nan"), "--cell-timeout: nan is not positive and finite; give a positive number"),
        ("passes", 0, "--passes: 0 is below 1; give a whole number from 1"),
        ("threads", 0, "--threads: 0 is below 1; give a whole number from 1"),
        ("seed", -1, "--seed: -1 is below 0; give a whole number from 0"),
        ("cache", "cold,", "--cache: 'cold,' is unknown; did you mean 'cold'?"),
        ("timer", "hots", "--timer: 'hots' is unknown; did you mean 'host'?"),
        ("exclude", ("native",), "--exclude: 'native' is the reference; name another with --reference"),
        ("shard", (0, 4), "--shard: there is no part 0 of 4; give it as 2/4, the second of four"),
    ],
)
def test_settings_without_sense_name_their_option(field, value, message):
    with pytest.raises(UsageError) as raised:
        Settings(**{field: value})
    assert str(raised.value) == message


@given(
    st.builds(
        Settings,
        budget_s=st.floats(1e-3, 1e6),
        passes=st.integers(1, 99),
        cache=st.sampled_from([None, "cold", "warm"]),
        threads=st.none() | st.integers(1, 64),
        impl=st.lists(st.text()).map(tuple),
        plugins=st.lists(st.text()).map(tuple),
        shard=st.sampled_from([None, (1, 1), (2, 4)]),
    )
)
def test_settings_go_through_json_and_back(settings):
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_a_misspelt_preset_gets_its_neighbour():
    assert {"default", "full", "quick"} < set(preset_names())
    with pytest.raises(UsageError, match=r"^--preset: 'qick' is no preset; did you mean 'quick'\?$"):
        load_preset("qick")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_of_named_models_and_valid_throughout(name):
    config = load_preset(name)
    assert expand(config.sweep).left_out == ()
    assert all(": " in entry.source for entry in config.sweep.entries)
    assert config.settings == Settings(budget_s=config.settings.budget_s)
    assert 20 <= config.settings.budget_s <= 120


def test_the_quick_preset_varies_all_axes_and_stays_small():
    problems = [one.problem for one in expand(load_preset("quick").sweep).problems]
    assert 6 <= len(problems) <= 12
    for axis in ("N", "C", "H", "W", "G", "dtype", "layout"):
        assert len({getattr(problem, axis) for problem in problems}) > 1, axis
    assert {problem.activation for problem in problems} == {"none", "silu", "relu"}
    assert all(5e5 < problem.input_bytes < 6e6 for problem in problems)


@pytest.mark.parametrize("axes", [{"N"}, {"C"}, {"G"}, {"H", "W"}], ids=lambda axes: "".join(sorted(axes)))
def test_the_quick_preset_has_problems_that_differ_in_one_axis_alone(axes):
    problems = [one.problem.to_dict() for one in expand(load_preset("quick").sweep).problems]
    pairs = itertools.combinations(problems, 2)
    assert any({name for name in one if one[name] != other[name]} == axes for one, other in pairs)


def test_presets_grow():
    found = [expand(load_preset(name).sweep).problems for name in ("quick", "default", "full")]
    assert 20 <= len(found[1]) <= 30
    assert len(found[2]) >= 60
    most = [estimate(blocks(one, ["native"]), Settings(), 2**40).most_bytes for one in found]
    assert most == sorted(most)
    assert most[2] < 6e9


# Calls of one forward pass and the bytes that they must move, recorded from the public implementations themselves.
@pytest.mark.parametrize(
    ("model", "calls", "gigabytes"),
    [
        ("Stable Diffusion 1.5 UNet", 61, 0.360),
        ("SDXL UNet", 46, 1.237),
        ("Stable Diffusion VAE decoder", 30, 3.674),
        ("ResNet-50-GN", 53, 2.845),
        ("EfficientNet-B3-GN", 78, 5.973 / 8),
        ("PoolFormer-S12", 24, 0.527),
        ("EnCodec", 36, 0.234),
        ("SegResNet", 25, 1.879),
    ],
)
def test_the_full_preset_holds_every_call_of_a_model(model, calls, gigabytes):
    entries = [entry for entry in load_preset("full").sweep.entries if entry.source.startswith(model)]
    moved = 0
    for entry in entries:
        (one,) = expand(Sweep(entries=(replace(entry, affine=(False,)),))).problems
        moved += one.count * one.problem.minimum_bytes
    assert sum(entry.count for entry in entries) == calls
    assert moved / 1e9 == pytest.approx(gigabytes, abs=6e-4)
