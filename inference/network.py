"""EfficientNet-B0 with five outputs, from torchvision: for training, export and reference.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
arXiv 1905.11946. Serving does not import this module, nor PyTorch: see ``inference.runtime``.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from inference.labels import CellClass

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pixels, red, green, blue, in units of full scale
DEVIATION = (0.229, 0.224, 0.225)
IMAGENET_EPS = 1e-5  # what torchvision's weights need BatchNorm to add to a variance


_KEPT: list[torch.library.Library] = []  # a collected library takes its schemas with it


def _declare_missing_operators() -> None:
    """Let torchvision be imported beside a PyTorch its compiled operators were not built for.

    torchvision's wheel is built for CUDA. Beside a CPU-only PyTorch its operators cannot load, and
    the import fails because two of them are missing. The network needs neither, so declaring their
    schemas is enough; calling them would still fail, loudly.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        library.define(schema)  # type: ignore[no-untyped-call]
    _KEPT.append(library)


try:
    import torchvision  # type: ignore[import-untyped]
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    _declare_missing_operators()
    import torchvision

EfficientNet: TypeAlias = torchvision.models.EfficientNet


def build(*, norm_eps: float) -> EfficientNet:
    """EfficientNet-B0 with an output a class and random weights, in training mode.

    ``norm_eps`` is what BatchNorm adds to a variance; it belongs to the weights: 1e-5 for
    torchvision's, 1e-3 for those that come from the original TensorFlow ones.
    """
    network = torchvision.models.efficientnet_b0(num_classes=len(CellClass))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = norm_eps
    return network


def imagenet_weights() -> dict[str, Tensor]:
    """What torchvision publishes, with a head of 1000 classes: 20 MB, downloaded once.

    Raises:
        OSError: they cannot be downloaded.

    """
    weights = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1
    return dict(weights.get_state_dict(check_hash=True))


def normalise(pixels: Tensor) -> Tensor:
    """Pixels (N, H, W, 3), uint8 or 0 to 255, as the network's float input (N, 3, H, W)."""
    mean = torch.tensor(MEAN, device=pixels.device) * 255
    deviation = torch.tensor(DEVIATION, device=pixels.device) * 255
    return ((pixels.float() - mean) / deviation).permute(0, 3, 1, 2)


class ServedNetwork(nn.Module):
    """The network as it is served: pixels in, logits, features and activation maps out, in one go.

    The map of a class is the sum of the last feature maps weighted by that class's weights (Zhou et
    al., "Learning Deep Features for Discriminative Localization", CVPR 2016, arXiv 1512.04150). Its
    mean plus the class's bias is the class's logit.
    """

    def __init__(self, network: EfficientNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answer uint8 pixels (N, 192, 192, 3).

        Returns logits (N, 5), features (N, 1280) and activation maps (N, 5, 6, 6), float32.
        """
        planes = self.network.features(normalise(pixels))
        features = planes.mean(dim=(2, 3))
        head = self.network.classifier[1]
        logits = head(features)
        maps = nn.functional.conv2d(planes, head.weight[:, :, None, None])
        return logits, features, maps
