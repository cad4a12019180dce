"""What every image set promises, wherever its pixels lie."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet, TensorImages, statistics
from cnnlab.testing.suite import Check, Suite, require, run

_LEAST = 4


@dataclass(frozen=True)
class ImageSetCase:
    """An image set, and the same content as a set made of a tensor."""

    images: ImageSet
    plain: TensorImages


def check_image_set(images: ImageSet) -> None:
    """Holds a subclass of ``ImageSet`` to everything that training and evaluation rely on.

    :param images: at least 4; all are read into memory, so a small set serves best.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    run(image_set_checks(images))


def image_set_checks(images: ImageSet) -> list[Check]:
    """The checks of :func:`check_image_set` one by one, for ``pytest.mark.parametrize``."""
    if len(images) < _LEAST:
        raise UsageError(f"an image set is checked by {_LEAST} images or more, and this holds {len(images)}.")

    @cache
    def case() -> ImageSetCase:
        pixels, targets = images.batch(torch.arange(len(images)))
        return ImageSetCase(images, TensorImages(pixels.to(torch.uint8, copy=True), targets, images.classes))

    return _suite.checks(f"image set {type(images).__name__}", lambda: nullcontext(case()))


_suite: Suite[ImageSetCase] = Suite()


@_suite.check
def batches_are_bytes_in_the_order_asked(case: ImageSetCase) -> None:
    """batch() gives uint8 images, N×C×H×W on the processor, and targets, in the order asked, repeats included."""
    last = len(case.images) - 1
    for indices in ([last], [2, 0, 2], torch.arange(last, -1, -1), []):
        pixels, targets = case.images.batch(indices)
        wanted, wanted_targets = case.plain.batch(indices)
        is_bytes = pixels.dtype == torch.uint8 and pixels.device.type == "cpu" and pixels.is_contiguous()
        require(is_bytes, f"It gave {pixels.dtype} on {pixels.device} with the strides {pixels.stride()}.")
        require(pixels.shape == wanted.shape, f"For {len(indices)} indices it gave {tuple(pixels.shape)}.")
        require(torch.equal(pixels, wanted), f"At {list(indices)} there were other images.")
        require(targets.keys() == wanted_targets.keys(), f"The columns were {list(targets)}.")
        require(all(torch.equal(rows, wanted_targets[name]) for name, rows in targets.items()), "Targets were others.")


@_suite.check
def batches_may_be_written_to(case: ImageSetCase) -> None:
    """A batch may be written to without harm to the set."""
    pixels, targets = case.images.batch([0, 1])
    before = pixels.clone()
    pixels.bitwise_not_()
    for column in targets.values():
        column.zero_()
    require(torch.equal(case.images.batch([0, 1])[0], before), "The images of the set changed with it.")
    wanted = case.plain.targets
    require(all(torch.equal(rows, wanted[name]) for name, rows in case.images.targets.items()), "Its targets changed.")


@_suite.check
def an_index_out_of_range_is_refused(case: ImageSetCase) -> None:
    """An index beyond the last is an IndexError."""
    try:
        case.images.batch([len(case.images)])
    except IndexError:
        return
    raise AssertionError(f"Of {len(case.images)} images it gave that at {len(case.images)}.")


@_suite.check
def ids_are_stable_names(case: ImageSetCase) -> None:
    """Ids are a different text for each image, the same whether asked for one by one, sliced or in turn."""
    ids = list(case.images.ids)
    require(len(ids) == len(case.images), f"{len(case.images)} images have {len(ids)} ids.")
    require(all(isinstance(name, str) for name in ids), "Some are no text.")
    require(len(set(ids)) == len(ids), "Some images share one.")
    alone = [case.images.ids[place] for place in range(len(ids))]
    require(alone == ids and list(case.images.ids[1:3]) == ids[1:3], "Asked for in another way they are others.")


@_suite.check
def digest_is_that_of_the_content(case: ImageSetCase) -> None:
    """Digests and statistics are those of the pixels, targets and classes, wherever these lie."""
    rows = np.array_equal(case.images.image_digests, case.plain.image_digests)
    require(rows, "The digests of the images are not those of what batch() gives.")
    require(case.images.digest == case.plain.digest, "The digest of the set is not that of its content.")
    require(torch.equal(case.images.moments, case.plain.moments), "The moments are not those of what batch() gives.")
    require(
        statistics(case.images) == statistics(case.plain), "Mean and standard deviation are not those of the pixels."
    )


@_suite.check
def chunks_are_the_whole(case: ImageSetCase) -> None:
    """chunks() gives all images in order; pixels(), where it gives any, the same."""
    whole = case.plain.pixels()
    require(torch.equal(torch.cat(list(case.images.chunks())), whole), "The chunks are other images.")
    pixels = case.images.pixels()
    require(pixels is None or torch.equal(pixels, whole), "pixels() gives other images.")


@_suite.check
def a_selection_is_a_set(case: ImageSetCase) -> None:
    """A selection holds the images chosen with their ids and targets, and so does a selection of it."""
    chosen = case.images.select([3, 0, 2]).select([2, 0])
    wanted = case.plain.select([2, 3])
    require(torch.equal(chosen.batch([1, 0])[0], wanted.batch([1, 0])[0]), "It holds other images.")
    require(list(chosen.ids) == [case.images.ids[2], case.images.ids[3]], f"Its ids are {list(chosen.ids)}.")
    require(chosen.digest == wanted.digest, "Its digest is not that of its content.")


@_suite.check
def threads_may_read_at_once(case: ImageSetCase) -> None:
    """Several threads may read batches at once."""
    count = len(case.images)
    orders = [torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:64] for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for order, (pixels, _) in zip(orders, pool.map(case.images.batch, orders), strict=True):
            require(torch.equal(pixels, case.plain.batch(order)[0]), "Some got the images of others.")
