"""Features of pictures from networks trained on ImageNet. The network's name belongs into every result's name."""

from twocet.readers.features.inception import InceptionReader
from twocet.readers.features.mobilenet import MobileNetReader
from twocet.readers.features.network import FeatureReader, ImageFeatures

__all__ = ["FeatureReader", "ImageFeatures", "InceptionReader", "MobileNetReader"]
