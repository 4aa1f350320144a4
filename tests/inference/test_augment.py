"""Varied pictures: the right size, each its own, the same from the same seed."""

import numpy as np
import torch

from inference.augment import augment, resized
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
    varied = augment(batch(), 224, generator())

    change = (varied.mean(dim=(1, 2)) - batch().float().mean(dim=(1, 2))).abs()
    assert change.max() < 50


def test_an_unvaried_picture_of_the_right_size_is_untouched():
    assert torch.equal(resized(batch(), 224), batch().float())
    assert resized(batch(), 160).shape == (5, 160, 160, 3)
