"""SIL in a detector of your own: torchvision's Faster R-CNN, with region features that know of each other.

    python examples/sil_in_torchvision_detector.py [--boxes-at-most 20] [--side 320]

The detector finds boxes with its own maps; SIL then turns these maps into maps with superpixel-level interaction, and
the detector's RoIAlign and box head make region features from either. Weights are random here: pass your own detector.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from interplay.scene.superpixel import SuperpixelInteraction, SuperpixelSettings


@torch.no_grad()
def region_features(detector: FasterRCNN, sil: SuperpixelInteraction, pictures: list[Tensor], most: int) -> None:
    """Print what the detector found and how far SIL moved the features of each box."""
    batch, _ = detector.transform(pictures)  # resized, normalised and padded to one size
    maps = detector.backbone(batch.tensors)
    proposals, _ = detector.rpn(batch, maps)
    found, _ = detector.roi_heads(maps, proposals, batch.image_sizes)  # the detector never sees SIL's maps
    boxes = [own["boxes"][:most] for own in found]
    changed = sil(maps, boxes, batch.image_sizes)
    before, after = (
        detector.roi_heads.box_head(detector.roi_heads.box_roi_pool(given, boxes, batch.image_sizes))
        for given in (maps, changed)
    )
    moved = (after - before).norm(dim=1) / before.norm(dim=1)
    for picture, (own, share) in enumerate(zip(boxes, moved.split([len(own) for own in boxes]), strict=True)):
        print(f"picture {picture}: {len(own)} boxes, features {tuple(before.shape[1:])} moved by {share.mean():.1%}")
    for key, points in sil.superpixels(maps, boxes, batch.image_sizes).items():
        print(f"level {key}: {points[0].unique().numel()} superpixels over {tuple(points[0].shape[1:])} points")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes-at-most", type=int, default=20)
    parser.add_argument("--side", type=int, default=320, help="short side of the resized pictures")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    network = FasterRCNN(backbone, num_classes=91, min_size=arguments.side, max_size=1000, box_score_thresh=0.0)
    block = SuperpixelInteraction(backbone.out_channels, SuperpixelSettings.preset("full"))
    two = [torch.rand(3, 240, 320), torch.rand(3, 300, 260)]
    region_features(network.eval(), block.eval(), two, arguments.boxes_at_most)
