"""Sizes that are declared and not there: memory or time would be taken for what never comes."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import h5py
import numpy as np

from ..case import Case, Step, kind
from ..samples import arrays, hdf5, idx_files, npz, picture, tarred, tree, zipped
from .operations import over_data, over_model, over_pictures, step

_HUGE = (2**31 - 1, 2**32 - 1, 2**24, 100_000, 2**16, 30_000)


@kind("declared picture")
def pictures(case: Case) -> list[Step]:
    width, height = case.random.choice(_HUGE), case.random.choice(_HUGE)
    name, content = case.random.choice((_png, _bmp, _gif, _tiff, _packed_png))(width, height)
    if case.random.random() < 0.3:
        case.photos()
        case.write(f"photos/cat/{name}", content)
        return over_data(case, "photos")
    case.write(name, content)
    return over_pictures(case, name)


def _png(width: int, height: int) -> tuple[str, bytes]:
    header = b"IHDR" + struct.pack(">IIBBBBB", width & 0x7FFFFFFF, height & 0x7FFFFFFF, 8, 2, 0, 0, 0)
    content = picture(0)
    return "huge.png", content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def _packed_png(width: int, height: int) -> tuple[str, bytes]:
    """All of the pixels are there, and pack to almost nothing."""
    side = 20_000
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(bytes((side // 8 + 1) * side), 9)
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (header, rows))
    return "packed.png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _bmp(width: int, height: int) -> tuple[str, bytes]:
    content = picture(0, "BMP")
    return "huge.bmp", content[:18] + struct.pack("<II", width & 0x7FFFFFFF, height & 0x7FFFFFFF) + content[26:]


def _gif(width: int, height: int) -> tuple[str, bytes]:
    content = picture(0, "GIF")
    return "huge.gif", content[:6] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + content[10:]


def _tiff(width: int, height: int) -> tuple[str, bytes]:
    content = picture(0, "TIFF")
    for tag, size in ((256, width), (257, height)):
        place = content.find(struct.pack("<H", tag), 8)
        content = content[: place + 2] + struct.pack("<HII", 4, 1, size & 0x7FFFFFFF) + content[place + 12 :]
    return "huge.tif", content


@kind("declared array")
def npz_shapes(case: Case) -> list[Step]:
    """NumPy's header with another shape than the bytes have."""
    made = arrays()
    stream = io.BytesIO()
    value = made[case.random.choice(list(made))]
    np.lib.format.write_array(stream, value)
    count = case.random.choice((10**6, 10**9, 10**12, 2**62))
    shape = case.random.choice(
        (f"({count}, 10, 10, 3)", f"({count},)", f"(24, {count}, {count}, 3)", f"(24, 0, {count})")
    )
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + value.tobytes()
    files = {f"{name}.npy": _npy(value) for name, value in made.items()}
    files[case.random.choice(list(files))] = content
    case.write("data.npz", zipped(files))
    return over_data(case, "data.npz")


def _npy(value: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, value)
    return stream.getvalue()


@kind("declared hdf5")
def hdf5_shapes(case: Case) -> list[Step]:
    """Data sets of any size of which no piece was written, or that lie elsewhere."""
    made, name = dict(arrays()), case.random.choice(("x_train", "y_train", "x_test"))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for other, value in made.items():
            if other != name:
                file.create_dataset(other, data=value)
        _odd_dataset(case, file, name)
    case.write("data.h5", stream.getvalue())
    return over_data(case, "data.h5")


def _odd_dataset(case: Case, file: h5py.File, name: str) -> None:
    count = case.random.choice((10**7, 10**9, 10**12))
    draw = case.random.randrange(5)
    if draw == 0:
        file.create_dataset(name, (count, 10, 10, 3), "u1", chunks=(1, 10, 10, 3))
    elif draw == 1:
        file.create_dataset(name, (count,), "i8", chunks=(1000,), compression="gzip")
    elif draw == 2:
        file[name] = h5py.ExternalLink("/dev/zero", "x")
    elif draw == 3:
        file[name] = h5py.SoftLink(case.random.choice((f"/{name}", "/none", "/x_test")))
    else:
        file.create_dataset(name, (1000, 10, 10, 3), "u1", external=[(str(case.outside / "thesis.txt"), 0, 300_000)])


@kind("declared idx")
def idx_sizes(case: Case) -> list[Step]:
    files = idx_files()
    name = case.random.choice(list(files))
    sizes = files[name][3]
    place = 4 + 4 * case.random.randrange(sizes)
    files[name] = files[name][:place] + struct.pack(">I", case.random.choice(_HUGE)) + files[name][place + 4 :]
    if case.random.random() < 0.2:
        files[name] = bytes([0, 0, 8, 255]) + b"\xff\xff\xff\xff" * 255
    suffix = case.random.choice(("", ".gz"))
    for name, content in files.items():
        case.write(f"set/{name}{suffix}", gzip.compress(content) if suffix else content)
    return over_data(case, "set")


@kind("packed to little")
def bombs(case: Case) -> list[Step]:
    """Streams that unpack to very much more than they take."""
    size = case.random.choice((2**28, 2**31))
    draw = case.random.randrange(5)
    if draw == 0:
        case.write(
            "set/train-images-idx3-ubyte.gz", _zeros(size, b"\0\0\x08\x03" + struct.pack(">III", size // 100, 10, 10))
        )
        case.write(
            "set/train-labels-idx1-ubyte.gz", _zeros(size // 100, b"\0\0\x08\x01" + struct.pack(">I", size // 100))
        )
        return over_data(case, "set")
    if draw == 1:
        case.write("photos.zip", _zip_of_zeros(size))
        return over_data(case, "photos.zip")
    if draw == 2:
        member = tarfile.TarInfo("cat/0.png")
        member.size = size
        case.write("photos.tar.gz", _zeros(size, member.tobuf()))
        return over_data(case, "photos.tar.gz")
    if draw == 3:
        case.write(
            "cifar-10-python.tar.gz", _zeros(size, tarred({"cifar-10-batches-py/data_batch_1": b"x"}, "w")[:1024])
        )
        return over_data(case, "cifar-10-python.tar.gz")
    case.write("data.h5", hdf5({"x_train": np.zeros((10, 10, 10), "u1"), "y_train": np.zeros(10)}) + _zeros(2**20, b""))
    return over_data(case, "data.h5")


def _zeros(size: int, start: bytes) -> bytes:
    """Gzip of the start and then zeros, made by repeating one packed piece."""
    piece = 2**24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = first + zeros * max(1, size // piece) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", 0, size & 0xFFFFFFFF)


def _zip_of_zeros(size: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tree(2).items():
            archive.writestr(name, content)
        with archive.open("cat/zeros.png", "w") as file:
            for _ in range(min(size, 2**28) // 2**24):
                file.write(bytes(2**24))
    content = stream.getvalue()
    # What the archive says of the size of its last member.
    place = content.rfind(b"PK\x01\x02")
    return content[: place + 24] + struct.pack("<I", size & 0xFFFFFFFF) + content[place + 28 :]


@kind("declared zip")
def zip_sizes(case: Case) -> list[Step]:
    content = bytearray(zipped(tree(3)))
    place = bytes(content).find(b"PK\x01\x02", case.random.randrange(len(content) // 2))
    place = place if place >= 0 else bytes(content).find(b"PK\x01\x02")
    offset = case.random.choice((20, 24, 42, 28, 30, 32))
    width = 2 if offset in (28, 30, 32) else 4
    content[place + offset : place + offset + width] = b"\xff" * width if case.random.random() < 0.5 else b"\0" * width
    case.write("photos.zip", bytes(content))
    return over_data(case, "photos.zip")


@kind("declared tensors")
def tensor_sizes(case: Case) -> list[Step]:
    """Headers of safetensors of a length, or with tensors of a size, that is not there."""
    content = (case.samples.run("base") / "model.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    length = case.random.choice((0, 1, size - 1, size + 1, 2**31, 2**40, 2**63, 2**64 - 1))
    if case.random.random() < 0.5:
        content = length.to_bytes(8, "little") + content[8:]
    else:
        shapes = (b"[1,1]", b"[1000000000,1000000000]", b"[0,9]", b"[9999999999999999999]")
        header = content[8 : 8 + size].replace(b'"shape":[', b'"shape":' + case.random.choice(shapes)[:-1] + b",", 1)
        content = len(header).to_bytes(8, "little") + header + content[8 + size :]
    case.write("model.safetensors", content)
    return over_model(case, "model.safetensors")


@kind("declared words")
def words(case: Case) -> list[Step]:
    """Networks, pictures and studies of a size that nobody has."""
    count = case.random.choice((10**9, 10**12, 10**18, 10**30))
    case.write("data.npz", npz(arrays()))
    model = case.random.choice(
        (f"mlp(hidden=[{count}])", f"dense({count})", f"conv({count})|head", f"mlp(hidden=[{'8,' * 3000}8])",
         f"convnet(width={count})", f"conv(8, kernel={count})|global_pool|head")
    )  # fmt: skip
    data = case.random.choice(
        ("data.npz", f"data.npz(size={count})", f"clocks(n={count})", f"clocks(n=5, size={count})")
    )
    key = case.random.choice((f"batch_size={count}", f"seed={count}", "", f"threads={count}"))
    if case.random.random() < 0.3:
        shape = case.random.choice(("1x8x8", f"3x{count}x8", f"{count}x1x1"))
        return [step("models", "show", model, "--input", shape)]
    return [step("train", f"data={data}", f"model={model}", "epochs=1", *key.split(), "-q")]
