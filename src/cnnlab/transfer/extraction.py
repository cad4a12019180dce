"""The features of a set of pictures: out of the cache, and what is not there computed in batches and put into it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError
from cnnlab.core.feature_cache import FeatureCache, Features, Places
from cnnlab.core.messages import is_quiet, quietly, track
from cnnlab.data import ImageSet
from cnnlab.transfer.augmented_draws import AugmentedDraw
from cnnlab.transfer.extractor import Extractor
from cnnlab.transfer.number_format import NumberFormat, choose_format, stated_format

_BATCH = 8
"""So that the maps of a layer stay near the processor: of 64 pictures of 224×224 each takes twice as long."""
_KEPT_AT_ONCE, _KEPT_BYTES = 1024, 64 << 20
"""Pictures, or bytes, after which what was computed is put into the cache: no more is computed again after a kill."""
_CHECKED_AT_ONCE = 256


class FeatureSource:
    """What makes features of pictures with one network and layer, in one number format.

    :param chosen: the format; None to try formats out on the first pictures.
    """

    def __init__(
        self, label: str, extractor: Extractor, device: str = "cpu", chosen: NumberFormat | None = None
    ) -> None:
        self.label, self.device = label, device
        # Where nothing is computed there is no format to choose.
        self.chosen = NumberFormat() if extractor.weights is None else chosen
        self.extractor = extractor.folded
        self.exact = extractor
        self.computed, self.seconds = 0, 0.0
        self._caches: dict[str, FeatureCache] = {}

    def choose(self, precision: str, images: ImageSet) -> None:
        """Computes in this number format from now on, whose features agree with those of float32 on these pictures.

        :raises UsageError: where they do not.
        """
        if self.exact.weights is None:
            return
        with self._on_device():
            self.chosen = stated_format(precision, self.extractor, images, self.device)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        """A block in which the network is where features are computed."""
        home = self.extractor.classifier.scale.device
        self.extractor.classifier.to(self.device)
        try:
            yield
        finally:
            self.extractor.classifier.to(home)

    def of(self, images: ImageSet, draw: AugmentedDraw | None = None) -> Features:
        """N×K, a row a picture.

        :param draw: of which augmented draw of the pictures; None of these themselves.
        :raises DataError: where some are not finite.
        """
        features = np.empty((len(images), self.exact.width), np.float32)
        self.fill(features, np.arange(len(images)), images, draw)
        return features

    def fill(self, features: Features, rows: Places, images: ImageSet, draw: AugmentedDraw | None = None) -> None:
        """Puts the features of the pictures into these rows, in order; pictures that are alike are computed once.

        They are held nowhere else, for they may take most of the memory.
        """
        digests = images.image_digests
        _, first, place = np.unique(digests, axis=0, return_index=True, return_inverse=True)
        cache = self._cache(images, draw)
        missing = first if cache is None else first[~cache.fill(digests[first], features, rows[first])]
        if cache is not None and len(missing):
            # Said of the pictures of a network, it need not be said of their draws.
            with quietly(is_quiet() or any(each.is_full for each in self._caches.values())):
                cache.expect(len(missing) * features.itemsize * features.shape[1])
        if len(missing):
            self._compute(features, rows, images, np.sort(missing), cache, draw)
        others = np.setdiff1d(np.arange(len(rows)), first)
        features[rows[others]] = features[rows[first[place.reshape(-1)[others]]]]
        for some in np.array_split(rows, 1 + len(rows) // _CHECKED_AT_ONCE):
            if not np.isfinite(features[some]).all():
                raise DataError(
                    f"the features of {self.label} are not all finite. Take other weights, or another layer."
                )

    def _cache(self, images: ImageSet, draw: AugmentedDraw | None) -> FeatureCache | None:
        if self.exact.weights is None:
            # Pixels are read as fast from where they are.
            return None
        if self.chosen is None:
            with self._on_device():
                self.chosen = choose_format(self.extractor, images, self.device)
        # Of accelerators, and of kernels, the last digits may differ.
        key = {**self.exact.facts, **self.chosen.key, "device": torch.device(self.device).type}
        network = self.label.removesuffix(f" {key['layer']}")
        shown = {"network": network, "layer": key["layer"], "size": key["shape"], "format": str(self.chosen)}
        if draw is not None:
            key, shown = {**key, **draw.key}, {**shown, "draw": str(draw)}
        # One for all pictures, whatever their split: that they are not kept is said once.
        return self._caches.setdefault(digest(key), FeatureCache(key, shown))

    def _compute(
        self,
        features: Features,
        rows: Places,
        images: ImageSet,
        places: Places,
        cache: FeatureCache | None,
        draw: AugmentedDraw | None,
    ) -> None:
        """Those of the pictures at these places, put into the cache as they come."""
        kept = done = 0
        began, starts = time.perf_counter(), range(0, len(places), _BATCH)
        at_once = min(_KEPT_AT_ONCE, max(1, _KEPT_BYTES // features[0].nbytes))

        def keep() -> None:
            some = places[kept:done]
            if cache is not None:
                cache.keep(images.image_digests[some], features[rows[some]])

        try:
            title = f"Features of {self.label}" if draw is None else f"Features of {self.label}, {draw.title}"
            with self._on_device():
                for start in track(starts, title, len(starts)):
                    chosen = places[start : start + _BATCH]
                    pixels = images.batch(torch.from_numpy(chosen))[0]
                    pixels = pixels if draw is None else draw.of(pixels, images.image_digests[chosen])
                    features[rows[chosen]] = self._features(pixels)
                    done += len(chosen)
                    if done - kept >= at_once:
                        keep()
                        kept = done
        finally:
            # Also when it is stopped: what was computed need not be computed again.
            keep()
            self.computed += done
            self.seconds += time.perf_counter() - began

    def _features(self, pixels: Tensor) -> Features:
        assert self.chosen is not None
        with self.chosen.applied(self.device):
            return self.extractor(pixels.to(self.device)).numpy()
