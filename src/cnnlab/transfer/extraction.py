"""The features of a set of pictures: out of the cache, and what is not there computed in batches and put into it."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.messages import track
from cnnlab.data import ImageSet
from cnnlab.transfer.augmented_draws import AugmentedDraw
from cnnlab.transfer.backbones import Extractor
from cnnlab.transfer.feature_cache import FeatureCache, Features
from cnnlab.transfer.number_format import NumberFormat, choose_format

_BATCH = 8
"""So that the maps of a layer stay near the processor: of 64 pictures of 224×224 each takes twice as long."""
_KEPT_AT_ONCE = 128
"""Batches after which what was computed is put into the cache: so many at most are computed again after a kill."""


class FeatureSource:
    """What makes features of pictures with one network and layer, in one number format.

    :param chosen: the format; None to try formats out on the first pictures.
    """

    def __init__(
        self, label: str, extractor: Extractor, device: str = "cpu", chosen: NumberFormat | None = None
    ) -> None:
        self.label, self.device, self.chosen = label, device, chosen
        self.extractor = extractor.folded
        self.exact = extractor
        self.computed, self.seconds = 0, 0.0

    def of(self, images: ImageSet, draw: AugmentedDraw | None = None) -> Features:
        """N×K, a row a picture; pictures that are alike are computed once.

        :param draw: of which augmented draw of the pictures; None of these themselves.
        :raises DataError: where some are not finite.
        """
        digests = images.image_digests
        _, first, place = np.unique(digests, axis=0, return_index=True, return_inverse=True)
        cache = self._cache(images, draw)
        found, known = cache.find(digests[first])
        missing = first[~known]
        if len(missing):
            done = self._computed(images, missing, cache, draw)
            found = np.zeros((len(first), done.shape[1]), np.float32) if found is None else found
            found[~known] = done
        assert found is not None
        if not np.isfinite(found).all():
            raise DataError(f"the features of {self.label} are not all finite. Take other weights, or another layer.")
        return found[place.reshape(-1)]

    def _cache(self, images: ImageSet, draw: AugmentedDraw | None) -> FeatureCache:
        if self.chosen is None:
            self.chosen = choose_format(self.extractor, images, self.device)
        # Of accelerators, and of kernels, the last digits may differ.
        key = {**self.exact.facts, **self.chosen.key, "device": torch.device(self.device).type}
        shown = {"network": self.label, "layer": key["layer"], "size": key["shape"], "format": str(self.chosen)}
        if draw is None:
            return FeatureCache(key, shown)
        return FeatureCache({**key, **draw.key}, {**shown, "draw": str(draw)})

    def _computed(
        self, images: ImageSet, places: NDArray[np.int64], cache: FeatureCache, draw: AugmentedDraw | None
    ) -> Features:
        """The features of the pictures at these places, put into the cache as they come."""
        done: list[Features] = []
        waiting: list[Features] = []
        began, starts = time.perf_counter(), range(0, len(places), _BATCH)
        home = self.extractor.classifier.scale.device
        self.extractor.classifier.to(self.device)
        try:
            title = f"Features of {self.label}" if draw is None else f"Features of {self.label}, {draw.title}"
            for start in track(starts, title, len(starts)):
                chosen = places[start : start + _BATCH]
                pixels = images.batch(torch.from_numpy(chosen))[0]
                pixels = pixels if draw is None else draw.of(pixels, images.image_digests[chosen])
                waiting.append(self._features(pixels))
                if len(waiting) == _KEPT_AT_ONCE:
                    self._keep(images, places, cache, done, waiting)
        finally:
            # Also when it is stopped: what was computed need not be computed again.
            self._keep(images, places, cache, done, waiting)
            self.extractor.classifier.to(home)
            self.seconds += time.perf_counter() - began
        return np.concatenate(done)

    def _features(self, pixels: Tensor) -> Features:
        assert self.chosen is not None
        with self.chosen.applied(self.device):
            return self.extractor(pixels.to(self.device)).numpy()

    def _keep(
        self,
        images: ImageSet,
        places: NDArray[np.int64],
        cache: FeatureCache,
        done: list[Features],
        waiting: list[Features],
    ) -> None:
        """Moves what waits to what is done, by way of the cache."""
        if not waiting:
            return
        features, start = np.concatenate(waiting), sum(map(len, done))
        waiting.clear()
        done.append(features)
        self.computed += len(features)
        cache.keep(images.image_digests[places[start : start + len(features)]], features)
