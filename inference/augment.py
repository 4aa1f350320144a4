"""Training pictures varied as slides vary: turned, zoomed, stained, blurred, stored differently.

- Stain: the optical density of each colour is scaled, as more or less of a dye would (Beer-Lambert;
  Tellez et al., "Whole-Slide Mitosis Detection in H&E Breast Histology Using PHH3 as a Reference",
  IEEE TMI 2018, arXiv 1808.05896, vary density in the same spirit).
- Mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, arXiv 1710.09412.
"""

from __future__ import annotations

import math
import random
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, interpolate, pad

ZOOM = 1.25  # at most, in and out
STRETCH = 1.12  # of one side against the other
SHIFT = 0.08  # of the picture's side
GAIN = 0.12  # of each colour: stain and lamp
STAIN = 0.10  # of the optical density of each colour
CONTRAST = 0.25
SATURATION = 0.35
BLURRED, BLUR = 0.2, 1.5  # share of pictures; pixels of the training size, at most
COMPRESSED, QUALITY = 0.1, (40, 90)  # share of pictures; JPEG quality


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
    stained = _stained(turned, generator)
    return _stored(_blurred(stained, generator), generator).permute(0, 2, 3, 1)


def mixed(
    pixels: Tensor, wanted: Tensor, strength: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Each picture (N, ...) mixed with another of its batch, and what is wanted (N, C) likewise.

    The share of the first is drawn from Beta(strength, strength), one for the batch.
    """
    seed = int(torch.randint(2**31, (), generator=generator))
    share = random.Random(seed).betavariate(strength, strength)  # noqa: S311 -- no secret
    order = torch.randperm(len(pixels), generator=generator).to(pixels.device)
    return (
        share * pixels + (1 - share) * pixels[order],
        share * wanted + (1 - share) * wanted[order],
    )


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
    """Random gain of each colour, density of the stain, contrast and saturation; 0 to 255."""
    count = len(planes)

    def factors(limit: float, width: int = 1) -> Tensor:
        drawn = 1 + (torch.rand(count, width, 1, 1, generator=generator) * 2 - 1) * limit
        return drawn.to(planes.device)

    density = -torch.log((planes + 1) / 256)
    planes = 256 * torch.exp(-density * factors(STAIN, 3)) - 1
    planes = planes * factors(GAIN, 3)
    mean = planes.mean(dim=(1, 2, 3), keepdim=True)
    planes = mean + (planes - mean) * factors(CONTRAST)
    grey = planes.mean(dim=1, keepdim=True)
    planes = grey + (planes - grey) * factors(SATURATION)
    return planes.clamp(0, 255)


def _blurred(planes: Tensor, generator: torch.Generator) -> Tensor:
    """Some pictures out of focus, each by its own Gaussian; (N, 3, H, W)."""
    chosen = (torch.rand(len(planes), generator=generator) < BLURRED).nonzero()[:, 0]
    widths = torch.rand(len(chosen), generator=generator) * (BLUR - 0.3) + 0.3
    if not len(chosen):
        return planes
    reach = int(3 * BLUR)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (steps / widths[:, None]) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(planes.device)
    height, width = planes.shape[-2:]
    sharp = planes[chosen].reshape(1, -1, height, width)  # a channel each, so one call does all
    own = kernels.repeat_interleave(3, dim=0)[:, None]
    padded = pad(sharp, (reach,) * 4, mode="reflect")
    across = conv2d(padded, own[:, :, None], groups=len(own))
    down = conv2d(across, own[..., None], groups=len(own))
    planes = planes.clone()
    planes[chosen] = down.reshape(len(chosen), 3, height, width)
    return planes


def _stored(planes: Tensor, generator: torch.Generator) -> Tensor:
    """Some pictures as a JPEG of less than the best quality leaves them; (N, 3, H, W)."""
    chosen = (torch.rand(len(planes), generator=generator) < COMPRESSED).nonzero()[:, 0]
    qualities = torch.randint(*QUALITY, (len(chosen),), generator=generator)
    if not len(chosen):
        return planes
    planes = planes.clone()
    for i, quality in zip(chosen.tolist(), qualities.tolist(), strict=True):
        pixels = planes[i].permute(1, 2, 0).round().to(torch.uint8).cpu().numpy()
        target = BytesIO()
        Image.fromarray(pixels).save(target, "JPEG", quality=quality)
        again = torch.from_numpy(np.array(Image.open(target)))
        planes[i] = again.permute(2, 0, 1).to(planes)
    return planes
