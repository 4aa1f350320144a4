"""Training pictures varied as slides vary: turned, mirrored, zoomed, stained differently."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

ZOOM = 1.25  # at most, in and out
STRETCH = 1.12  # of one side against the other
SHIFT = 0.08  # of the picture's side
GAIN = 0.12  # of each colour: stain and lamp
CONTRAST = 0.25
SATURATION = 0.35


def augment(pixels: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Vary a batch of pictures, each in its own way.

    Takes uint8 (N, H, W, 3) and returns floats 0 to 255, (N, side, side, 3). A cell has no up or
    down, so every angle and both mirror images are as likely.
    """
    planes = pixels.permute(0, 3, 1, 2).float()
    if planes.shape[-1] != side:
        planes = interpolate(planes, (side, side), mode="bilinear", antialias=True)
    placement = _placement(len(planes), generator).to(planes.device)
    grid = affine_grid(placement, list(planes.shape), align_corners=False)
    turned = grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
    return _stained(turned, generator).permute(0, 2, 3, 1)


def resized(pixels: Tensor, side: int) -> Tensor:
    """The same pictures, unvaried, at another size: uint8 (N, H, W, 3) to floats."""
    if pixels.shape[1] == side:
        return pixels.float()
    planes = pixels.permute(0, 3, 1, 2).float()
    planes = interpolate(planes, (side, side), mode="bilinear", antialias=True)
    return planes.permute(0, 2, 3, 1)


def _spread(count: int, limit: float, generator: torch.Generator) -> Tensor:
    """Random factors between 1 / limit and limit, as many above 1 as below."""
    return torch.exp((torch.rand(count, generator=generator) * 2 - 1) * math.log(limit))


def _placement(count: int, generator: torch.Generator) -> Tensor:
    """Random affine maps (count, 2, 3): angle, mirror, zoom, stretch, shift."""
    angle = torch.rand(count, generator=generator) * 2 * math.pi
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1
    zoom = _spread(count, ZOOM, generator)
    stretch = _spread(count, STRETCH, generator)
    shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * SHIFT
    cosine, sine = torch.cos(angle), torch.sin(angle)
    across = torch.stack([cosine * zoom * stretch * mirror, -sine * zoom, shift[:, 0]], dim=1)
    down = torch.stack([sine * zoom * stretch * mirror, cosine * zoom, shift[:, 1]], dim=1)
    return torch.stack([across, down], dim=1)


def _stained(planes: Tensor, generator: torch.Generator) -> Tensor:
    """Random gain of each colour, contrast and saturation; (N, 3, H, W), 0 to 255."""
    count = len(planes)

    def factors(limit: float, width: int = 1) -> Tensor:
        drawn = 1 + (torch.rand(count, width, 1, 1, generator=generator) * 2 - 1) * limit
        return drawn.to(planes.device)

    planes = planes * factors(GAIN, 3)
    mean = planes.mean(dim=(1, 2, 3), keepdim=True)
    planes = mean + (planes - mean) * factors(CONTRAST)
    grey = planes.mean(dim=1, keepdim=True)
    planes = grey + (planes - grey) * factors(SATURATION)
    return planes.clamp(0, 255)
