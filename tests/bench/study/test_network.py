"""What is trained: shapes, counts, and what one seed gives to all."""

import pytest
import torch
from torch import nn

from bench.study import norms
from bench.study.network import classifier
from bench.study.resnet import resnet50
from bench.study.unet import unet_small
from kernels import GroupNorm

WORDS = ("none", "batch", "layer", "group:2", "group:8", "group:32", "instance")


@pytest.mark.parametrize(("size", "features"), [(28, 7 * 7 * 64), (8, 2 * 2 * 64)])
def test_the_linear_layer_follows_the_images_size(size, features):
    made = classifier(norms.read("batch"), None, image_size=size)
    assert made[-1].in_features == features
    assert made(torch.zeros(3, 1, size, size)).shape == (3, 10)


@pytest.mark.parametrize("word", WORDS)
def test_one_seed_gives_every_norm_the_same_weights(word):
    def weights(word):
        torch.manual_seed(5)
        made = classifier(norms.read(word), "native", image_size=8)
        return [one.weight.detach() for one in made.modules() if isinstance(one, nn.Conv2d | nn.Linear)]

    assert all(map(torch.equal, weights(word), weights("none")))


def test_the_norms_are_torchs_own_by_name():
    x = torch.randn(4, 32, 6, 6)
    layers = {word: classifier(norms.read(word), "native", image_size=8)[1] for word in WORDS}
    assert torch.equal(layers["none"](x), x.relu())
    assert torch.allclose(layers["batch"](x), nn.BatchNorm2d(32)(x).relu())
    assert torch.allclose(layers["layer"](x), nn.functional.layer_norm(x, x.shape[1:]).relu(), atol=1e-5)
    assert torch.allclose(layers["instance"](x), nn.InstanceNorm2d(32)(x).relu(), atol=1e-5)
    assert torch.allclose(layers["group:8"](x), nn.GroupNorm(8, 32)(x).relu(), atol=1e-5)


@pytest.mark.parametrize(("make", "count", "outputs"), [(resnet50, 53, (2, 1000)), (unet_small, 27, (2, 4, 32, 32))])
def test_bigger_networks_have_the_norms_they_say(make, count, outputs):
    made = make(norms.read("group:32"), "native")
    assert sum(isinstance(module, GroupNorm) for module in made.modules()) == count
    assert made(torch.randn(2, 3, 32, 32)).shape == outputs
