"""Real architectures without weights: the calls that are seen are those that their sources come to.

Small configurations run on real tensors and have the counts of the large ones (docs/workloads.md); the settings that
are published run on the meta device and give the problems of our presets. Needs packages that nothing else of the
suite does, and is skipped without them.
"""

from collections import Counter

import pytest
import torch

from bench.capture import capture
from bench.capture.seeing import compiling
from bench.plan.config import load_config, load_preset
from bench.plan.sweep import expand

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _nothing_was_compiled(monkeypatch):
    monkeypatch.setitem(compiling._state, "at work", False)


def seen_of(forward):
    """Count the calls of one forward pass by what follows and by layout."""
    with capture(model="a model") as recording, torch.no_grad():
        forward()
    follows, layouts = Counter(), Counter()
    for call, count in recording.seen.calls.items():
        follows[call.follows] += count
        layouts[call.layout] += count
    return recording, dict(follows), dict(layouts)


def diffusers_unet(**settings):
    return pytest.importorskip("diffusers").UNet2DConditionModel(**settings).eval()


def autoencoder(first, groups):
    settings = {"norm_num_groups": groups, "layers_per_block": 2, "latent_channels": 4}
    return (
        pytest.importorskip("diffusers")
        .AutoencoderKL(
            block_out_channels=(first, 2 * first, 4 * first, 4 * first),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            **settings,
        )
        .eval()
    )


def problems(config):
    return {one.problem: one.count for one in expand(config.sweep.override(dtype=("float32",))).problems}


def is_the_preset(recording, name, folder):
    (folder / "captured.toml").write_text(recording.preset().text)
    return problems(load_config(folder / "captured.toml")) == problems(load_preset(name))


def test_stable_diffusions_unet(tmp_path):
    small = diffusers_unet(
        cross_attention_dim=32, block_out_channels=(32, 64, 64, 64), attention_head_dim=8, norm_num_groups=8
    )
    given = (torch.randn(2, 4, 16, 16), torch.ones(()), torch.randn(2, 7, 32))
    _, follows, layouts = seen_of(lambda: small(*given))
    assert (follows, layouts) == ({"silu": 45, "conv2d": 16}, {"contiguous": 61})
    with torch.device("meta"):
        whole = diffusers_unet(cross_attention_dim=768)
        given = (torch.empty(2, 4, 64, 64), torch.ones(()), torch.empty(2, 77, 768))
    recording, *_ = seen_of(lambda: whole(*given))
    assert is_the_preset(recording, "sd15_unet", tmp_path)


def test_stable_diffusions_autoencoder(tmp_path):
    small = autoencoder(16, 8)
    _, follows, layouts = seen_of(lambda: small.decode(torch.randn(1, 4, 8, 8)))
    # Four norms of a contiguous model get channels_last: attention hands on a transposed tensor.
    assert (follows, layouts) == ({"silu": 29, "transpose": 1}, {"contiguous": 26, "channels_last": 4})
    _, follows, layouts = seen_of(lambda: small.encode(torch.randn(1, 3, 64, 64)))
    assert (follows, layouts) == ({"silu": 21, "transpose": 1}, {"contiguous": 20, "channels_last": 2})
    with torch.device("meta"):
        whole = autoencoder(128, 32)
        given = torch.empty(1, 4, 128, 128)
    recording, *_ = seen_of(lambda: whole.decode(given))
    assert is_the_preset(recording, "sd_vae", tmp_path)


def test_deformable_detr():
    transformers = pytest.importorskip("transformers")
    backbone = transformers.ResNetConfig(
        out_features=["stage2", "stage3", "stage4"], embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1] * 4
    )
    settings = transformers.DeformableDetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone, d_model=32,
        encoder_layers=1, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=32,
        decoder_ffn_dim=32, num_queries=10,
    )  # fmt: skip
    model = transformers.DeformableDetrModel(settings).eval()
    _, follows, _ = seen_of(lambda: model(torch.randn(1, 3, 96, 128)))
    assert follows == {"flatten": 4}


def test_segresnet_and_its_training_step(tmp_path):
    nets = pytest.importorskip("monai.networks.nets")
    settings = {"blocks_down": [1, 2, 2, 4], "blocks_up": [1, 1, 1], "in_channels": 4, "out_channels": 3}
    small = nets.SegResNet(init_filters=8, **settings)
    _, follows, _ = seen_of(lambda: small.eval()(torch.randn(1, 4, 16, 16, 16)))
    assert follows == {"relu": 25}
    with capture(model="a step") as recording:
        small.train()(torch.randn(1, 4, 16, 16, 16)).sum().backward()
    assert recording.preset().calls == {"training_forward": 25, "backward": 25}
    with torch.device("meta"):
        whole = nets.SegResNet(init_filters=16, **settings).eval()
        given = torch.empty(1, 4, 128, 128, 128)
    recording, *_ = seen_of(lambda: whole(given))
    assert is_the_preset(recording, "segresnet", tmp_path)
