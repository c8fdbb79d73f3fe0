"""A small U-Net as diffusion models have them: two residual blocks a level, norm and SiLU before each convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.study.layers import normalized
from bench.study.norms import Norm

WIDTHS = (32, 64, 128)


class _Residual(nn.Module):
    """Norm, SiLU, convolution, twice; what came in added."""

    def __init__(self, norm: Norm, implementation: str | None, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            normalized(norm, incoming, implementation, "silu"),
            nn.Conv2d(incoming, outgoing, 3, padding=1),
            normalized(norm, outgoing, implementation, "silu"),
            nn.Conv2d(outgoing, outgoing, 3, padding=1),
        )
        self.around = nn.Conv2d(incoming, outgoing, 1) if incoming != outgoing else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, outgoing, H, W) of x (N, incoming, H, W)."""
        found: Tensor = self.inner(x) + self.around(x)
        return found


class _Unet(nn.Module):
    """Down, the middle, and up again with what each level had on the way down."""

    def __init__(self, norm: Norm, implementation: str | None, outputs: int) -> None:
        super().__init__()

        def level(incoming: int, outgoing: int) -> nn.Sequential:
            return nn.Sequential(
                _Residual(norm, implementation, incoming, outgoing), _Residual(norm, implementation, outgoing, outgoing)
            )

        pairs = list(zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False))
        self.first = nn.Conv2d(3, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList(level(incoming, outgoing) for incoming, outgoing in pairs)
        self.smaller, self.larger = nn.AvgPool2d(2), nn.Upsample(scale_factor=2)
        self.middle = _Residual(norm, implementation, WIDTHS[-1], WIDTHS[-1])
        self.up = nn.ModuleList(level(2 * outgoing, incoming) for incoming, outgoing in reversed(pairs))
        self.last = nn.Sequential(
            normalized(norm, WIDTHS[0], implementation, "silu"), nn.Conv2d(WIDTHS[0], outputs, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Give (N, outputs, H, W) of x (N, 3, H, W); H and W are multiples of 8."""
        x, kept = self.first(x), []
        for level in self.down:
            x = level(x)
            kept.append(x)
            x = self.smaller(x)
        x = self.middle(x)
        for level in self.up:
            x = level(torch.cat((self.larger(x), kept.pop()), 1))
        found: Tensor = self.last(x)
        return found


def unet_small(norm: Norm, implementation: str | None, outputs: int = 4) -> nn.Module:
    """Make the network: images (N, 3, H, W) to (N, ``outputs``, H, W); it has 27 norms."""
    return _Unet(norm, implementation, outputs)
