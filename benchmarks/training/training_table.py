"""From the single measurements of training speed to medians, ratios and a page."""

import statistics
from typing import Any

import machine

PEERS = {
    "keras": "Keras",
    "keras-onednn": "Keras with oneDNN",
    "keras-bfloat16": "Keras bfloat16",
    "torch": "bare PyTorch",
    "torch-float32": "bare PyTorch",
    "torch-bfloat16": "bare PyTorch bfloat16",
}
# Who computes in a format, where that is not all that a peer does.
_IN_FORMAT = {
    "float32": ("cnnlab-float32", "keras", "torch-float32"),
    "bfloat16": ("cnnlab-bfloat16", "keras-bfloat16", "torch-bfloat16"),
}
# Ratio to reach against each peer: by the kind of processor, and against the bare loop on an accelerator.
_RATIOS = {"avx2": {"keras": 2.5, "torch": 1.3}, "avx512-bf16": {"keras-bfloat16": 1.4}}
_ON_ACCELERATOR = {"torch": 0.97}
# Of the best rate of torch's convolutions in the same format: which rate, and the share of it.
_SHARES = {
    "float32": {"vgg-like": ("training", 0.60), "convnet": ("training", 0.70)},
    "bfloat16": {"vgg-like": ("forward", 0.65), "convnet": ("forward", 0.55)},
}
_WAYS = {"forward": "forward", "training": "forward and gradients"}
_LOOP = 0.03


_AS_AVX2 = (
    "Everybody computes as on a processor without AVX-512, though this one has it: torch by `ATEN_CPU_CAPABILITY=avx2` "
    "and `ONEDNN_MAX_CPU_ISA=AVX2`, TensorFlow without oneDNN, which it takes by itself only where there is AVX-512 "
    "(`Keras with oneDNN` has the switch turned).\n",
)


def upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A record with what those of older versions lack: the kind of processor, and convolutions by their format."""
    settings = {"like": None, "kind": machine.kind(record["machine"])} | record["settings"]
    convolutions = record["convolutions"]
    if "shapes" in convolutions:
        ran = [row["execution"]["precision"] for row in record["measurements"] if row["subject"] == "cnnlab"]
        convolutions = {statistics.mode(ran): convolutions}
    return record | {"settings": settings, "convolutions": convolutions}


def summarise(record: dict[str, Any]) -> dict[str, Any]:
    """Medians over all measured epochs, ratios to the peers, and what was to be reached."""
    rows = record["measurements"]
    cases = [_case(rows, net, shape, record) for net, shape in _cases(rows)]
    return {"cases": cases, "targets": _targets(cases, record)}


def table(record: dict[str, Any]) -> str:
    """The page."""
    summary, settings = record["summary"], record["settings"]
    peers = [name for name in PEERS if name in summary["cases"][0]["subjects"]]
    parts = [
        "# Training speed\n",
        f"Images a second in training, batch 256, SGD with momentum, data and optimiser included. Measured "
        f"{record['measured']} on {machine.sentence(record['machine'])}.\n",
        *(_AS_AVX2 if settings["like"] else ()),
        f"Medians of {settings['repeats']} processes × {settings['epochs']} epochs of {settings['images']:,} pictures "
        "after a warm-up, subjects interleaved; in brackets the slowest and fastest epoch.\n",
        _speeds(summary["cases"], peers),
        "`steps` leaves out what cnnlab does at an epoch's end: history, checkpoint, the next order. Versions: "
        f"{_versions(record['measurements'])}.\n",
        *_formats(summary["cases"]),
        "## What cnnlab chose\n",
        _choices([*record["loop"], *record["measurements"]], summary["cases"]),
        "## Against the best convolution\n",
        _convolutions(record, summary["cases"]),
        "## The loop itself\n",
        _loop(record),
        "## To reach\n",
        _target_lines(summary["targets"]),
    ]
    return "\n".join(parts)


def _cases(rows: list[dict[str, Any]]) -> list[tuple[str, tuple[int, ...]]]:
    return list(dict.fromkeys((row["net"], tuple(row["shape"])) for row in rows))


def _case(rows: list[dict[str, Any]], net: str, shape: tuple[int, ...], record: dict[str, Any]) -> dict[str, Any]:
    here = [row for row in rows if row["net"] == net and tuple(row["shape"]) == shape]
    if len({row["weights"] for row in here}) != 1:
        raise ValueError(f"the subjects train different networks as {net}: {[row['weights'] for row in here]}")
    names = dict.fromkeys(row["subject"] for row in here)
    found = {name: _spread([row for row in here if row["subject"] == name], "images_per_second") for name in names}
    ours = [row for row in here if row["subject"] == "cnnlab"]
    found["steps"] = _spread(ours, "images_per_second_of_steps")
    speed = found["cnnlab"]["median"]
    chosen = statistics.mode(row["execution"]["precision"] for row in ours)
    fixed = {name: who[0] for name, who in _IN_FORMAT.items() if who[0] in found} or {chosen: "cnnlab"}
    return {
        "precision": chosen,
        "net": net,
        "shape": list(shape),
        "subjects": found,
        "ratios": {name: speed / found[name]["median"] for name in PEERS if name in found},
        "multiply_adds": ours[0]["multiply_adds"],
        "formats": {
            name: _reached(6 * ours[0]["multiply_adds"] * found[who]["median"], record["convolutions"][name]["best"])
            for name, who in fixed.items()
        },
    }


def _reached(operations: float, best: dict[str, float]) -> dict[str, Any]:
    return {"operations_per_second": operations, "share": {way: operations / best[way] for way in best}}


def _spread(rows: list[dict[str, Any]], key: str) -> dict[str, float]:
    rates = [rate for row in rows for rate in row[key]]
    return {"median": statistics.median(rates), "low": min(rates), "high": max(rates), "n": len(rates)}


def _targets(cases: list[dict[str, Any]], record: dict[str, Any]) -> list[dict[str, Any]]:
    is_processor = record["settings"]["device"] == "cpu"
    wanted = _RATIOS.get(record["settings"]["kind"], {}) if is_processor else _ON_ACCELERATOR
    found = []
    for case in cases:
        where = f"{case['net']} {_size(case['shape'])}"
        for peer in case["ratios"]:
            least = wanted.get(peer)
            if least is not None:
                found.append(_target(f"{where}: times {PEERS[peer]}", case["ratios"][peer], least, True))
        if is_processor:
            for name, reached in case["formats"].items():
                way, least = _SHARES[name][case["net"]]
                what = f"{where}: share of torch's best {name} convolution, {_WAYS[way]}"
                found.append(_target(what, reached["share"][way], least, True))
    for cost in record["loop"]:
        where = f"{cost['net']} {_size(cost['shape'])}"
        found.append(_target(f"{where}: the loop's own share", cost["whole"], _LOOP, False))
    return found


def _target(what: str, value: float, limit: float, at_least: bool) -> dict[str, Any]:
    met = value >= limit if at_least else value < limit
    return {"what": what, "value": value, "limit": limit, "at_least": at_least, "met": met}


def _speeds(cases: list[dict[str, Any]], peers: list[str]) -> str:
    head = ["network", "pictures", "cnnlab", "steps", *(PEERS[p] for p in peers), *(f"× {PEERS[p]}" for p in peers)]
    rows = []
    for case in cases:
        subjects = case["subjects"]
        shown = [_rate(subjects[name]) for name in ("cnnlab", "steps", *peers)]
        rows.append([case["net"], _size(case["shape"]), *shown, *(f"{case['ratios'][p]:.2f}" for p in peers)])
    return _grid(head, rows)


def _formats(cases: list[dict[str, Any]]) -> list[str]:
    """cnnlab beside those that compute in the same format, where it was measured in each."""
    rows = []
    for case in cases:
        for name, (ours, keras, bare) in _IN_FORMAT.items():
            if ours not in case["subjects"]:
                continue
            peers = [case["subjects"].get(peer) for peer in (keras, bare)]
            speed = case["subjects"][ours]["median"]
            ratios = ["" if peer is None else f"{speed / peer['median']:.2f}" for peer in peers]
            shown = ["" if peer is None else _rate(peer) for peer in (case["subjects"][ours], *peers)]
            rows.append([case["net"], _size(case["shape"]), name, *shown, *ratios])
    head = ["network", "pictures", "format", "cnnlab", "Keras", "bare PyTorch", "× Keras", "× bare PyTorch"]
    return (
        ["## Each format\n", "cnnlab with `precision=` given, beside the peers in the same.\n", _grid(head, rows)]
        if rows
        else []
    )


def _choices(rows: list[dict[str, Any]], cases: list[dict[str, Any]]) -> str:
    text = "The number format and the kernels, and why these, in each process; what was timed once is remembered.\n"
    lines = []
    for case in cases:
        here = [row for row in rows if row["net"] == case["net"] and list(row["shape"]) == case["shape"]]
        said = [_choice(row) for row in here if row["subject"] in ("loop", "cnnlab") and "execution" in row]
        counts = [
            f"{each}{f' ({said.count(each)} times)' if said.count(each) > 1 else ''}" for each in dict.fromkeys(said)
        ]
        lines.append([case["net"], _size(case["shape"]), "; ".join(counts)])
    return f"{text}\n{_grid(['network', 'pictures', 'chosen'], lines)}"


def _choice(row: dict[str, Any]) -> str:
    """What a process computed in and why."""
    choice = row.get("precision_choice", {})
    found = f"{row['execution']['precision']} by {row['execution'].get('kernels', 'torch')} kernels"
    if "bfloat16" not in choice:
        return f"{found}: {choice['why']}" if choice else found
    ratio = f"bfloat16 is {choice['float32'] / choice['bfloat16']:.2f} × float32 on {choice['images']} pictures"
    how = f"timed in {choice['seconds']:.2g} s" if choice["why"] == "timed" else choice["why"]
    return f"{found}: {ratio}, {how}"


def _convolutions(record: dict[str, Any], cases: list[dict[str, Any]]) -> str:
    formats = record["convolutions"]
    bests = "; ".join(
        f"in {name} {found['best']['forward'] / 1e9:,.0f} GFLOP/s forward and {found['best']['training'] / 1e9:,.0f} "
        "forward and both gradients"
        for name, found in formats.items()
    )
    text = (
        "torch's 3×3 convolutions, channels-last, batch 256, two operations a multiply-add of the definition: "
        f"at best {bests}. Shares are of that in the same format; by Winograd's algorithm a "
        "convolution takes fewer operations than its definition, so a share may pass one.\n"
    )
    first = next(iter(formats.values()))["shapes"]
    shapes = [
        [
            row["channels"],
            _size((row["size"], row["size"])),
            *(f"{found['shapes'][i][way] / 1e9:,.0f}" for found in formats.values() for way in found["best"]),
        ]
        for i, row in enumerate(first)
    ]
    reached = [
        [
            case["net"],
            _size(case["shape"]),
            name,
            f"{case['multiply_adds'] / 1e6:.1f}",
            f"{found['operations_per_second'] / 1e9:,.0f}",
            f"{found['share']['forward']:.0%}",
            f"{found['share']['training']:.0%}",
        ]
        for case in cases
        for name, found in case["formats"].items()
    ]
    shares = ["share of the best forward", "of the best forward and gradients"]
    head = ["network", "pictures", "format", "million multiply-adds", "GFLOP/s in training (×6)", *shares]
    columns = [f"{name} {way}" for name in formats for way in ("forward", "with gradients")]
    return "\n".join([text, _grid(head, reached), _grid(["channels", "size", *columns], shapes)])


def _loop(record: dict[str, Any]) -> str:
    text = (
        "Everything that is neither forward, backward nor optimiser, as a share of the steps' time: by clocks inside "
        "the epochs, and by comparison with the three alone on the same batches. The end of an epoch comes on top, "
        f"once in {record['settings']['loop_images']:,} pictures.\n"
    )
    rows = [
        [
            cost["net"],
            _size(cost["shape"]),
            f"{cost['inside']:.1%}",
            f"{cost['beside']:.1%}",
            f"{cost['end_of_epoch_seconds']:.2f}",
            f"{cost['whole']:.1%}",
        ]
        for cost in record["loop"]
    ]
    head = ["network", "pictures", "inside", "beside", "end of an epoch, seconds", "inside, with the end"]
    return f"{text}\n{_grid(head, rows)}"


def _target_lines(targets: list[dict[str, Any]]) -> str:
    rows = []
    for target in targets:
        is_share = target["limit"] < 0.9
        value, limit = (f"{target[key]:.1%}" if is_share else f"{target[key]:.2f}" for key in ("value", "limit"))
        wanted = f"{'at least' if target['at_least'] else 'under'} {limit}"
        rows.append([target["what"], value, wanted, "met" if target["met"] else "**missed**"])
    return _grid(["what", "measured", "to reach", ""], rows)


def _rate(spread: dict[str, float]) -> str:
    return f"{spread['median']:,.0f} ({spread['low']:,.0f}–{spread['high']:,.0f})"


def _versions(rows: list[dict[str, Any]]) -> str:
    found: dict[str, str] = {}
    for row in rows:
        found |= {f"{name}": value for name, value in row["versions"].items() if name != "numpy"}
    threads = ", ".join(f"{row['subject']} {row['threads']}" for row in {r["subject"]: r for r in rows}.values())
    return ", ".join(f"{name} {value}" for name, value in found.items()) + f". Threads: {threads}"


def _size(shape: Any) -> str:
    return "×".join(map(str, shape))


def _grid(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
