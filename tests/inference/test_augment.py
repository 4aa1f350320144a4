"""Varied pictures: the right size, each its own, the same from the same seed."""

import numpy as np
import torch

from inference.augment import _blurred, _stored, augment, mixed
from inference.labels import CellClass
from inference.preprocess import preprocess
from tests.inference.conftest import draw


def batch():
    pictures = [preprocess(draw(cell_class, 1)) for cell_class in CellClass]
    return torch.from_numpy(np.stack(pictures))


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def test_varied_pictures_have_the_size_asked_for_and_stay_in_range():
    varied = augment(batch(), 96, generator())

    assert varied.shape == (5, 96, 96, 3)
    assert 0 <= varied.min() <= varied.max() <= 255


def test_the_same_seed_varies_the_same_way_and_another_differently():
    first = augment(batch(), 96, generator())

    assert torch.equal(augment(batch(), 96, generator()), first)
    assert not torch.equal(augment(batch(), 96, generator(2)), first)


def test_each_picture_of_a_batch_is_varied_in_its_own_way():
    same = batch()[:1].repeat(4, 1, 1, 1)

    varied = augment(same, 96, generator())

    assert len({one.sum().item() for one in varied}) == 4


def test_a_varied_cell_keeps_its_colour():
    varied = augment(batch(), 192, generator())

    change = (varied.mean(dim=(1, 2)) - batch().float().mean(dim=(1, 2))).abs()
    assert change.max() < 50


def test_some_pictures_are_blurred_and_the_rest_untouched():
    sharp = torch.rand(60, 3, 32, 32) * 255

    blurred = _blurred(sharp, generator())

    rough = [(one[:, 1:] - one[:, :-1]).abs().mean().item() for one in blurred]
    untouched = [torch.equal(a, b) for a, b in zip(sharp, blurred, strict=True)]
    assert 40 < sum(untouched) < 56
    softened = [r for r, same in zip(rough, untouched, strict=True) if not same]
    assert max(softened) < min(r for r, same in zip(rough, untouched, strict=True) if same)


def test_a_blur_keeps_what_is_even():
    even = torch.full((40, 3, 16, 16), 77.0)

    assert torch.allclose(_blurred(even, generator()), even, atol=1e-3)


def test_some_pictures_are_stored_as_jpeg():
    planes = batch().permute(0, 3, 1, 2).float().repeat(20, 1, 1, 1)

    stored = _stored(planes, generator())

    changed = [not torch.equal(a, b) for a, b in zip(planes, stored, strict=True)]
    assert 2 < sum(changed) < 25
    assert (stored - planes).abs().mean() < 3


def test_mixed_pictures_and_classes_are_shared_alike():
    pixels = torch.arange(8.0).reshape(8, 1)
    wanted = torch.eye(8)

    mixed_pixels, mixed_wanted = mixed(pixels, wanted, 0.4, generator())

    assert torch.allclose(mixed_wanted @ pixels, mixed_pixels)
    assert torch.allclose(mixed_wanted.sum(dim=1), torch.ones(8))
    assert not torch.equal(mixed_wanted, wanted)
