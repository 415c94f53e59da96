"""SIL: superpixels of feature maps, and the interactions inside and across entities (Superpixel-based Interaction
Learning). A plug-in for any detector with a feature pyramid."""

from interplay.scene.superpixel.block import TORCHVISION_STRIDES as TORCHVISION_STRIDES
from interplay.scene.superpixel.block import SuperpixelInteraction as SuperpixelInteraction
from interplay.scene.superpixel.clustering import SuperpixelClustering as SuperpixelClustering
from interplay.scene.superpixel.level import SuperpixelBlock as SuperpixelBlock
from interplay.scene.superpixel.settings import SuperpixelSettings as SuperpixelSettings
