"""ResNet-50 (He et al. 2015, v1.5: the stride in the 3 x 3 convolution), with any normalization."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from bench.study.layers import normalized
from bench.study.norms import Norm

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
_EXPANSION = 4


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1, and what came in added; the last norm's activation waits for the sum."""

    def __init__(self, norm: Norm, implementation: str | None, incoming: int, width: int, stride: int) -> None:
        super().__init__()
        outgoing = _EXPANSION * width
        self.inner = nn.Sequential(
            nn.Conv2d(incoming, width, 1, bias=False),
            normalized(norm, width, implementation, "relu"),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            normalized(norm, width, implementation, "relu"),
            nn.Conv2d(width, outgoing, 1, bias=False),
            normalized(norm, outgoing, implementation),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1 or incoming != outgoing:
            self.around = nn.Sequential(
                nn.Conv2d(incoming, outgoing, 1, stride, bias=False), normalized(norm, outgoing, implementation)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, 4·width, H/stride, W/stride) of x (N, C, H, W)."""
        return functional.relu(self.inner(x) + self.around(x))


def resnet50(norm: Norm, implementation: str | None, classes: int = 1000) -> nn.Sequential:
    """Make the network: images (N, 3, H, W) to (N, ``classes``); it has 53 norms."""
    blocks: list[nn.Module] = []
    incoming = 64
    for stage, (width, depth) in enumerate(_STAGES):
        for place in range(depth):
            stride = 2 if place == 0 and stage > 0 else 1
            blocks.append(_Bottleneck(norm, implementation, incoming, width, stride))
            incoming = _EXPANSION * width
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
        normalized(norm, 64, implementation, "relu"),
        nn.MaxPool2d(3, 2, padding=1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(incoming, classes),
    )
