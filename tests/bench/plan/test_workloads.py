"""The presets of real models against what their public sources come to; see docs/workloads.md."""

import pytest

from bench.errors import UsageError
from bench.plan.config import load_config, load_preset
from bench.plan.sweep import expand

# calls, problems, gigabytes (two passes over x, whatever its type), dtype, activations with their calls
MODELS = {
    "sd15_unet": (61, 18, 0.360, "float16", {"silu": 45, "none": 16}),
    "sdxl_unet": (46, 14, 1.237, "float16", {"silu": 35, "none": 11}),
    "sd_vae": (30, 8, 14.697, "float32", {"silu": 29, "none": 1}),
    "flux_vae": (30, 8, 7.348, "bfloat16", {"silu": 29, "none": 1}),
    "hunyuanvideo_vae": (30, 7, 5.987, "bfloat16", {"silu": 29, "none": 1}),
    "svd_unet": (105, 25, 31.113, "float16", {"silu": 89, "none": 16}),
    "resnet50_gn": (53, 12, 2.845, "float32", {"relu": 33, "none": 20}),
    "bit_resnet50": (49, 11, 2.306, "float32", {"relu": 49}),
    "efficientnet_b3_gn": (78, 20, 5.973, "float32", {"silu": 52, "none": 26}),
    "mask_rcnn_gn": (69, 17, 2.833, "float32", {"relu": 41, "none": 28}),
    "deformable_detr": (4, 4, 0.036, "float32", {"none": 4}),
    "segresnet": (25, 4, 1.879, "float32", {"relu": 25}),
    "unet3d": (14, 11, 3.611, "float32", {"none": 14}),
    "wav2vec2": (1, 1, 0.131, "float32", {"none": 1}),
    "encodec": (36, 15, 0.234, "float32", {"none": 36}),
    "rwkv7": (24, 1, 0.805, "bfloat16", {"none": 24}),
    "kernelbench35": (2, 2, 15.569, "float32", {"none": 2}),
    "tutorial": (2, 2, 0.019, "float32", {"relu": 2}),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_calls_and_bytes_of_its_source(name):
    calls, problems, gigabytes, dtype, activations = MODELS[name]
    found = expand(load_preset(name).sweep).problems
    assert sum(one.count for one in found) == calls
    assert len(found) == problems
    assert {one.problem.dtype for one in found} == {dtype}
    assert sum(2 * one.problem.input_bytes * one.count for one in found) / 1e9 == pytest.approx(gigabytes, abs=6e-4)
    counted = dict.fromkeys(activations, 0)
    for one in found:
        counted[one.problem.activation] += one.count
    assert counted == activations


def test_a_preset_of_one_forward_pass_names_its_model():
    named = {name for name in MODELS if load_preset(name).sweep.model}
    assert named == set(MODELS) - {"kernelbench35"}  # two versions of one problem: their sum means nothing
    assert not any(load_preset(name).sweep.model for name in ("quick", "default", "full"))


def test_one_group_a_channel_and_of_all_channels_are_among_them():
    shapes = [one.problem for name in MODELS for one in expand(load_preset(name).sweep).problems]
    assert any(one.G == one.C for one in shapes)
    assert any(one.G == 1 for one in shapes)
    assert max(one.input_bytes // 4 // one.N // one.G for one in shapes if one.dtype == "float32") > 27e6


def test_a_file_may_name_its_model(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('model = "Mine"\nproblem = [{ N = 1, C = 8, H = 2, W = 2, G = 2, count = 3 }]\n')
    assert load_config(file).sweep.model == "Mine"
    file.write_text("model = 3\nproblem = [{ N = 1, C = 8, H = 2, W = 2, G = 2 }]\n")
    with pytest.raises(UsageError, match=r"own.toml: model: 3 is no text; put it in quotes$"):
        load_config(file)
