"""EfficientNet-B0 with five outputs: its size, its shapes, its maps."""

import pytest
import torch
from torch import nn

from inference.network import ServedNetwork, build, normalise
from tests.inference.conftest import drawn_network


@pytest.fixture(scope="module")
def served():
    return ServedNetwork(drawn_network()).eval()


@pytest.fixture(scope="module")
def pixels():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 192, 192, 3), dtype=torch.uint8, generator=generator)


def test_the_network_has_four_million_parameters():
    assert sum(parameter.numel() for parameter in build(norm_eps=1e-3).parameters()) == 4_013_953


def test_batchnorm_has_the_eps_that_was_asked_for():
    norms = [m for m in build(norm_eps=1e-3).modules() if isinstance(m, nn.BatchNorm2d)]

    assert {norm.eps for norm in norms} == {1e-3}


def test_the_answers_have_their_shapes(served, pixels):
    with torch.inference_mode():
        logits, features, maps = served(pixels)

    assert (logits.shape, features.shape, maps.shape) == ((2, 5), (2, 1280), (2, 5, 6, 6))


def test_the_logits_are_those_of_torchvisions_own_forward(served, pixels):
    with torch.inference_mode():
        logits, _, _ = served(pixels)
        expected = served.network(normalise(pixels))

    assert torch.allclose(logits, expected, atol=1e-5)


def test_a_map_is_the_features_weighted_by_its_class_and_its_mean_is_the_logit(served, pixels):
    with torch.inference_mode():
        logits, _, maps = served(pixels)
        planes = served.network.features(normalise(pixels))
        head = served.network.classifier[1]
        weighted = torch.einsum("ck,nkyx->ncyx", head.weight, planes)

    assert maps.std() > 0.1
    assert torch.allclose(maps, weighted, atol=1e-5)
    assert torch.allclose(maps.mean(dim=(2, 3)) + head.bias, logits, atol=1e-5)


def test_a_pixel_of_the_mean_colour_is_zero():
    mean = torch.tensor([0.485, 0.456, 0.406]) * 255

    assert normalise(mean.reshape(1, 1, 1, 3)).abs().max() < 1e-6


def test_a_map_is_grad_cam_by_automatic_differentiation(served, pixels):
    """Selvaraju et al., ICCV 2017: planes weighted by the mean gradient of a class's logit."""
    planes = served.network.features(normalise(pixels)).detach().requires_grad_()
    logits = served.network.classifier(served.network.avgpool(planes).flatten(1))

    _, _, maps = served(pixels)

    for place in range(5):
        [gradient] = torch.autograd.grad(logits[:, place].sum(), planes, retain_graph=True)
        weights = gradient.mean(dim=(2, 3), keepdim=True) * gradient.shape[2] * gradient.shape[3]
        expected = (weights * planes).sum(dim=1)
        assert torch.allclose(maps[:, place], expected, atol=1e-5)
