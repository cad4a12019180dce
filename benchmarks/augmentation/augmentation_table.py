"""From the single measurements of augmentation to medians, ratios and a page."""

import statistics
from typing import Any

import machine

NAMES = {"torchvision": "torchvision v2", "kornia": "kornia", "keras": "Keras on tf.data"}
# Times the fastest peer, by the height of the pictures.
_TIMES_FASTEST = {32: 8.0, 28: 4.0, 150: 1.3}
_EPOCH = 1.05
_ON_ACCELERATOR = 1e6

Spread = dict[str, float]


def summarise(record: dict[str, Any]) -> dict[str, Any]:
    """Medians over all stretches of all processes, ratios, and what was to be reached."""
    rows = record["measurements"]
    cases = [_case(rows, shape, batch) for shape, batch in dict.fromkeys(_key(row) for row in rows)]
    epochs = [_epoch(row) for row in record["epochs"]]
    is_processor = record["settings"]["device"] == "cpu"
    return {"cases": cases, "epochs": epochs, "targets": _targets(cases, epochs, is_processor)}


def table(record: dict[str, Any]) -> str:
    """The page."""
    summary, settings = record["summary"], record["settings"]
    parts = [
        "# Augmentation speed\n",
        "Images a second through flip + rotate + shift + shear + zoom, from bytes in memory to floats in [0, 1], a "
        f"draw for each picture, bilinear. Measured {record['measured']} on {machine.sentence(record['machine'])}.\n",
        f"Medians of {settings['repeats']} processes × 8 stretches of {settings['seconds'] / 8:g} s after a warm-up, "
        "subjects interleaved; in brackets the slowest and the fastest stretch.\n",
        _speeds(summary["cases"]),
        "The ways in which peers were tried (medians). torchvision counts with its quickest. kornia counts with five "
        "layers, as five operations are what is compared; four of them can also be written as one affine layer. "
        "cnnlab keeps the memory of one batch for the next, as its training does; kornia was also measured so.\n",
        _ways(summary["cases"]),
        "## The kernel\n",
        "`grid_sample` alone, on floats and places that are there already: what one resampling costs when nothing "
        "else is done and a batch is not cut into parts that stay in the cache.\n",
        _kernel(summary["cases"]),
        "## An epoch\n",
        _epochs(summary["epochs"]),
        f"Versions: {_versions(record)}.\n",
        "## To reach\n",
        _lines(summary["targets"]),
    ]
    return "\n".join(parts)


def _key(row: dict[str, Any]) -> tuple[tuple[int, ...], int]:
    return tuple(row["shape"]), row["batch"]


def _case(rows: list[dict[str, Any]], shape: tuple[int, ...], batch: int) -> dict[str, Any]:
    here = [row for row in rows if _key(row) == (shape, batch)]
    subjects: dict[str, Spread] = {}
    ways: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["subject"] for row in here):
        own = [row for row in here if row["subject"] == name]
        if "ways" in own[0]:
            each = {way: _spread([row["ways"][way] for row in own]) for way in own[0]["ways"]}
            ways[name] = {way: spread["median"] for way, spread in each.items()}
            best = max(each, key=lambda way: each[way]["median"])
            subjects[name] = each[own[0].get("counts", best)]
        else:
            subjects[name] = _spread([row["images_per_second"] for row in own])
    ours = [row for row in here if row["subject"] == "cnnlab"]
    kernel = {way: _spread([row["grid_sample"][way] for row in ours]) for way in ours[0]["grid_sample"]}
    speed = subjects["cnnlab"]["median"]
    ratios = {name: speed / spread["median"] for name, spread in subjects.items() if name != "cnnlab"}
    return {
        "shape": list(shape),
        "batch": batch,
        "subjects": subjects,
        "ways": ways,
        "kernel": kernel,
        "ratios": ratios,
    }


def _spread(rates: list[list[float]]) -> Spread:
    flat = [rate for row in rates for rate in row]
    return {"median": statistics.median(flat), "low": min(flat), "high": max(flat), "n": len(flat)}


def _epoch(row: dict[str, Any]) -> dict[str, Any]:
    (_, plain), (spec, augmented) = row["seconds"].items()
    medians = {"without": statistics.median(plain), "with": statistics.median(augmented)}
    pairs = [b / a for a, b in zip(plain, augmented, strict=True)]
    ratio = medians["with"] / medians["without"]
    return (
        {key: row[key] for key in ("shape", "images", "precision")}
        | medians
        | {
            "spec": spec,
            "ratio": ratio,
            "pairs": {"median": statistics.median(pairs), "low": min(pairs), "high": max(pairs), "n": len(pairs)},
        }
    )


def _targets(cases: list[dict[str, Any]], epochs: list[dict[str, Any]], is_processor: bool) -> list[dict[str, Any]]:
    found = []
    for case in cases:
        where = _size(case["shape"])
        if is_processor and case["ratios"]:
            name, ratio = min(case["ratios"].items(), key=lambda item: item[1])
            least = _TIMES_FASTEST[case["shape"][1]]
            found.append(_target(f"{where}: times the fastest peer ({NAMES[name]})", ratio, least, True))
        if not is_processor and case["shape"][1] == 32:
            found.append(
                _target(f"{where}: images a second", case["subjects"]["cnnlab"]["median"], _ON_ACCELERATOR, True)
            )
    for epoch in epochs:
        found.append(_target(f"{_size(epoch['shape'])}: an epoch, times one without", epoch["ratio"], _EPOCH, False))
    return found


def _target(what: str, value: float, limit: float, at_least: bool) -> dict[str, Any]:
    met = value >= limit if at_least else value <= limit
    return {"what": what, "value": value, "limit": limit, "at_least": at_least, "met": met}


def _speeds(cases: list[dict[str, Any]]) -> str:
    peers = [name for name in NAMES if any(name in case["subjects"] for case in cases)]
    head = ["batch", "cnnlab", *(NAMES[name] for name in peers), *(f"× {NAMES[name]}" for name in peers)]
    rows = []
    for case in cases:
        shown = [_rate(case["subjects"][name]) for name in ("cnnlab", *peers)]
        rows.append([_batch(case), *shown, *(f"{case['ratios'][name]:.1f}" for name in peers)])
    return _grid(head, rows)


def _ways(cases: list[dict[str, Any]]) -> str:
    rows = [
        [_batch(case), NAMES[name], way, f"{rate:,.0f}", f"{case['subjects']['cnnlab']['median'] / rate:.1f}"]
        for case in cases
        for name, ways in case["ways"].items()
        for way, rate in ways.items()
    ]
    return _grid(["batch", "peer", "way", "images/s", "× this way"], rows) if rows else ""


def _kernel(cases: list[dict[str, Any]]) -> str:
    head = ["batch", "bare, reflected outside", "bare, zero outside", "cnnlab (reflected)"]
    rows = [
        [
            _batch(case),
            *(_rate(case["kernel"][way]) for way in ("reflection", "zeros")),
            _rate(case["subjects"]["cnnlab"]),
        ]
        for case in cases
    ]
    return _grid(head, rows)


def _epochs(epochs: list[dict[str, Any]]) -> str:
    if not epochs:
        return "Not measured.\n"
    first = epochs[0]
    text = (
        f"`cnnlab.train` of the VGG-like net on {first['images']:,} pictures, batch 256, with `{first['spec']}` and "
        "without, trained in turns; medians of the steps' seconds over the epochs after each first one.\n"
    )
    head = ["pictures", "without, s", "with, s", "ratio", "pair by pair", "precision"]
    rows = [
        [
            _size(epoch["shape"]),
            f"{epoch['without']:.3f}",
            f"{epoch['with']:.3f}",
            f"{epoch['ratio']:.3f}",
            _pairs(epoch["pairs"]),
            epoch["precision"],
        ]
        for epoch in epochs
    ]
    return f"{text}\n{_grid(head, rows)}"


def _pairs(spread: Spread) -> str:
    return f"{spread['median']:.3f} ({spread['low']:.3f}–{spread['high']:.3f}, n={spread['n']})"


def _versions(record: dict[str, Any]) -> str:
    found: dict[str, str] = {}
    for row in [*record["measurements"], *record["epochs"]]:
        found |= row["versions"]
    threads = {row["subject"]: row["threads"] for row in record["measurements"]}
    told = ", ".join(f"{name} {count}" for name, count in threads.items())
    return ", ".join(f"{name} {value}" for name, value in found.items()) + f". Threads: {told}"


def _lines(targets: list[dict[str, Any]]) -> str:
    rows = []
    for target in targets:
        value, limit = (
            f"{target[key]:,.0f}" if target["limit"] >= 1000 else f"{target[key]:.3g}" for key in ("value", "limit")
        )
        wanted = f"{'at least' if target['at_least'] else 'at most'} {limit}"
        rows.append([target["what"], value, wanted, "met" if target["met"] else "**missed**"])
    return _grid(["what", "measured", "to reach", ""], rows)


def _rate(spread: Spread) -> str:
    return f"{spread['median']:,.0f} ({spread['low']:,.0f}–{spread['high']:,.0f})"


def _batch(case: dict[str, Any]) -> str:
    return f"{case['batch']}×{_size(case['shape'])}"


def _size(shape: Any) -> str:
    return "×".join(map(str, shape))


def _grid(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
