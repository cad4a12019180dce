"""Files of arrays: NumPy's, HDF5 and IDX, damaged outside and within."""

import gzip
import io
import zipfile

import numpy as np

from ..case import Case, Step, kind
from ..mutations import damaged
from ..samples import arrays, hdf5, idx_files, npz, zipped
from .operations import over_data

_KINDS = ("O", "U5", "S3", "f2", "f4", "f8", "i1", "i8", "u4", "c8", "?", "M8[s]", "V3")
_SHAPES = (
    (),
    (0,),
    (3,),
    (24, 0),
    (24, 10),
    (24, 10, 10),
    (24, 10, 10, 3),
    (24, 3, 10, 10),
    (0, 10, 10),
    (1, 1, 1, 1, 1),
)


@kind("npz damaged")
def npz_damaged(case: Case) -> list[Step]:
    name = case.random.choice(("data.npz", "stored.npz"))
    case.write("data.npz", damaged(case.samples.files[name], case.random))
    return over_data(case, "data.npz")


@kind("npz of odd members")
def npz_members(case: Case) -> list[Step]:
    """A whole archive around members with damage, or of other kinds."""
    with zipfile.ZipFile(io.BytesIO(case.samples.files["data.npz"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = case.random.choice(list(members))
    change = case.random.random()
    if change < 0.7:
        members[name] = damaged(members[name], case.random)
    elif change < 0.8:
        del members[name]
    else:
        members[case.random.choice(("y.npy", "../x.npy", "class_names.npy", "x_train", "a" * 300 + ".npy"))] = members[
            name
        ]
    case.write("data.npz", zipped(members))
    return over_data(case, "data.npz")


@kind("arrays of odd kinds")
def odd_arrays(case: Case) -> list[Step]:
    """Whole files whose arrays have kinds, shapes and values that no pictures or labels have."""
    made = dict(arrays())
    for name in case.random.sample(list(made)[:4], case.random.choice((1, 2))):
        made[name] = _odd_array(case, made[name])
    if case.random.random() < 0.2:
        made["class_names"] = np.array(case.random.choice((["a", "a", "b"], ["a"], [""] * 3, ["\x1b[31m", "b", "c"])))
    is_object = any(value.dtype.kind in "OMcV" for value in made.values())
    if is_object or case.random.random() < 0.5:
        case.write("data.npz", npz(made))
        return over_data(case, "data.npz")
    made = {name: value.astype("S") if value.dtype.kind == "U" else value for name, value in made.items()}
    case.write("data.h5", hdf5(made))
    return over_data(case, "data.h5")


def _odd_array(case: Case, value: np.ndarray) -> np.ndarray:
    draw = case.random.random()
    if draw < 0.4:
        with np.errstate(all="ignore"):
            return value.astype(case.random.choice(_KINDS))
    if draw < 0.7:
        return np.zeros(case.random.choice(_SHAPES), case.random.choice(("u1", "i8", "f4")))
    if draw < 0.85:
        return np.full(value.shape, case.random.choice((np.nan, np.inf, -1.0, 1e300, 0.5)))
    return np.full(value.shape, case.random.choice((2**62, -(2**63), 10**6, -5)))


@kind("npy")
def npy(case: Case) -> list[Step]:
    stream = io.BytesIO()
    np.save(stream, arrays()["x_train"])
    case.write("data.npy", damaged(stream.getvalue(), case.random))
    return over_data(case, case.random.choice(("data.npy", "npz(data.npy)")))


@kind("hdf5 damaged")
def hdf5_damaged(case: Case) -> list[Step]:
    name = case.random.choice(("data.h5", "packed.h5"))
    case.write("data.h5", damaged(case.samples.files[name], case.random))
    return over_data(case, "data.h5")


@kind("idx damaged")
def idx_damaged(case: Case) -> list[Step]:
    files = idx_files()
    name = case.random.choice(list(files))
    files[name] = damaged(files[name], case.random)
    return _over_idx(case, files)


@kind("idx.gz damaged")
def idx_gz_damaged(case: Case) -> list[Step]:
    files = {name: gzip.compress(content) for name, content in idx_files().items()}
    name = case.random.choice(list(files))
    files[name] = damaged(files[name], case.random)
    return _over_idx(case, {f"{name}.gz": content for name, content in files.items()})


def _over_idx(case: Case, files: dict[str, bytes]) -> list[Step]:
    if case.random.random() < 0.2:
        del files[case.random.choice(list(files))]
    for name, content in files.items():
        case.write(f"set/{name}", content)
    first = next(iter(files))
    return over_data(case, case.random.choice(("set", "idx(set)", f"set/{first}")))
