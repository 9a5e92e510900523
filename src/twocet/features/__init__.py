"""Features of pictures from networks trained on ImageNet. The network's name belongs into every result's name."""

from twocet.features.inception import InceptionReader
from twocet.features.mobilenet import MobileNetReader
from twocet.features.network import FeatureReader, ImageFeatures

__all__ = ["FeatureReader", "ImageFeatures", "InceptionReader", "MobileNetReader"]
