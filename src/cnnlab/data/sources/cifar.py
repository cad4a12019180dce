"""CIFAR-10 and CIFAR-100 in the versions in which their authors give them out."""

from pathlib import Path

from cnnlab.data.formats.cifar import read_cifar
from cnnlab.data.formats.labelled_arrays import LabelledArrays, content_of
from cnnlab.data.reading import Content, SearchPath, Source, reader


@reader("cifar")
def cifar(place: SearchPath, path: str) -> Source:
    """CIFAR-10 or CIFAR-100, python or binary version, as .tar.gz or unpacked."""
    return cifar_source(place.find(path))


def cifar_source(path: Path) -> Source:
    """The set in an archive or folder."""
    name = path.absolute().name.partition(".")[0]
    return Source(name, lambda: _read(path), (path,), {"from": str(path.absolute())}, {"kind": "cifar"})


def _read(path: Path) -> Content:
    content = read_cifar(path)
    splits = {
        name: LabelledArrays(split.images, split.targets, f"{path}, {name}", f"{path}, {name}", "first")
        for name, split in (("train", content.train), ("test", content.test))
    }
    return content_of(splits, content.classes)
