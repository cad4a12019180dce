"""From the single measurements of the choices in a step to medians, gains and a page."""

import statistics
from typing import Any

import machine
from measured_step import BATCH, STEPS
from variants import ALTERNATIVE_CASES, ALTERNATIVES, CASES, CHOICES, TORCH, Alternative, Case, Job, forms

# A gain counts from here on, or from what lies between processes of the same kind where that is more.
LEAST_GAIN = 0.03
_WHAT = {
    "torch's own": "the modules as torch has them, small pages, memory returned to the system",
    "large pages": "large tensors on pages of 2 MiB",
    "memory kept": "memory of the steps kept from one to the next",
    "pool before ReLU": "a maximum pool before the ReLU that it follows",
    "Winograd": "3×3 convolutions by our kernels, in Winograd's way",
    "small maps": "the gradient of weights as a convolution where maps are 3×3 or smaller",
    "grey layer": "the first convolution by our kernels where pictures are grey",
    "one pass": "batch normalisation, ReLU and pool as one pass of our kernels",
}
_NOT_MEASURED = [
    "## Not measured",
    "",
    "- Intel's extension for PyTorch has ended; what it had for convolutions went into torch itself.",
    "- oneDNN's graph fusion in TorchScript, inductor's frozen weights and OpenVINO's backend are for prediction: they "
    "fold batch normalisation into weights that must not change.",
]


class Figures:
    """What was measured, by form and alternative.

    :param record: as ``step_choices.py`` writes it.
    """

    def __init__(self, record: dict[str, Any]) -> None:
        self.precision = record["precision"]
        self.measured: dict[str, list[dict[str, Any]]] = {
            Job(**row["job"] | {"shape": tuple(row["job"]["shape"])}).key: row["processes"]
            for row in record["measurements"]
        }

    @property
    def last(self) -> int:
        """The place of the last choice."""
        return len(CHOICES[self.precision]) - 1

    def processes(self, case: Case, form: int, change: str = "") -> list[dict[str, Any]]:
        """What each process answered."""
        # Where a choice makes no difference, the one before it stands for it.
        place = max(each for each in forms(self.precision, case) if each <= form)
        return self.measured[Job(*case, self.precision, form if change else place, change).key]

    def has(self, change: str) -> bool:
        """Whether an alternative was measured."""
        return any(Job.loads(key).change == change for key in self.measured)

    def failure(self, case: Case, form: int, change: str) -> str | None:
        """Why there is no figure, if there is none."""
        return next((each["failed"] for each in self.processes(case, form, change) if "failed" in each), None)

    def rate(self, case: Case, form: int, change: str = "") -> float:
        """The median of all steps, in pictures a second."""
        return statistics.median(rate for each in self.processes(case, form, change) for rate in each["rates"])

    def spread(self) -> float:
        """By how much the medians of two processes of the same kind differ, in the middle of all kinds."""
        apart = []
        for processes in self.measured.values():
            medians = [statistics.median(each["rates"]) for each in processes if "rates" in each]
            if len(medians) > 1:
                apart.append(max(medians) / min(medians) - 1)
        return statistics.median(apart) if apart else 0.0


def page(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    figures = Figures(record)
    answered = next(each for processes in figures.measured.values() for each in processes if "rates" in each)
    like = (
        "Computed as on a processor without AVX-512, though this one has it, by `ATEN_CPU_CAPABILITY=avx2` and "
        "`ONEDNN_MAX_CPU_ISA=AVX2` (only what torch compiles may still hold AVX-512). "
        if record["like"]
        else ""
    )
    lines = [
        f"# What the choices in a training step are worth: {figures.precision}",
        "",
        f"Images a second of forward, backward and AdamW at batch {BATCH} in {figures.precision}: medians of "
        f"{record['repeats']} {'process' if record['repeats'] == 1 else 'processes'} × {STEPS} steps, "
        f"measured {record['measured']} on {machine.sentence(record['machine'])}; "
        f"torch {answered['torch']}, {answered['threads']} threads. {like}"
        + (
            f"The medians of processes of the same kind are {figures.spread():.1%} apart in the middle."
            if record["repeats"] > 1
            else ""
        ),
        "",
        *_choices(figures),
        *_alternatives(figures, "torch"),
        *_alternatives(figures, "used"),
        *_NOT_MEASURED,
        *(
            []
            if figures.has("compiled step")
            else ["- What torch compiles (`torch.compile`), which was left out here."]
        ),
        "",
    ]
    return "\n".join(lines)


def _choices(figures: Figures) -> list[str]:
    names = CHOICES[figures.precision]
    lines = [
        "## The choices, one after another",
        "",
        "Each column adds one choice to those before it; in brackets the gain over the first. Nothing stands where a "
        "choice makes no difference. " + "; ".join(f"*{name}*: {_WHAT[name]}" for name in names) + ".",
        "",
        "| network | pictures | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for case in CASES:
        made, first = forms(figures.precision, case), figures.rate(case, 0)
        rates = [figures.rate(case, form) if form in made else None for form in range(len(names))]
        cells = [
            f"{first:,.0f}",
            *("" if rate is None else f"{rate:,.0f} ({rate / first - 1:+.0%})" for rate in rates[1:]),
        ]
        lines.append(f"| {case[0]} | {_size(case)} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _alternatives(figures: Figures, against: str) -> list[str]:
    base = TORCH if against == "torch" else figures.last
    rows = [each for each in ALTERNATIVES if each.against == against and figures.has(each.name)]
    if against == "torch":
        heading = "## Alternatives to torch's kernels as they are called"
        about = (
            f"One change each to *{CHOICES[figures.precision][TORCH]}*, where all is computed by torch's kernels; in "
            "brackets the gain over that, and after the semicolon over all choices together."
        )
    else:
        heading = "## Alternatives to what is used"
        about = "One change each to all choices together; in brackets the gain over those."
    lines = [heading, "", about, ""]
    lines.append("| | " + " | ".join(f"{case[0]} {_size(case)}" for case in ALTERNATIVE_CASES) + " |")
    lines.append("| --- |" + " --- |" * len(ALTERNATIVE_CASES))
    lines.append(
        "| *unchanged* | " + " | ".join(f"{figures.rate(case, base):,.0f}" for case in ALTERNATIVE_CASES) + " |"
    )
    for row in rows:
        cells = [_cell(figures, row, case, base) for case in ALTERNATIVE_CASES]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return [*lines, "", *(f"- **{row.name}**: {verdict(figures, row)} {row.about}" for row in rows), ""]


def _cell(figures: Figures, row: Alternative, case: Case, base: int) -> str:
    if figures.failure(case, base, row.name):
        return "fails"
    rate, places = figures.rate(case, base, row.name), [base] if base == figures.last else [base, figures.last]
    text = f"{rate:,.0f} (" + "; ".join(f"{rate / figures.rate(case, place) - 1:+.0%}" for place in places) + ")"
    if row.name.startswith("compiled"):
        # The first process of a variant compiles, the next finds some of it done.
        text += f", {max(each['first'] for each in figures.processes(case, base, row.name)):.0f} s to compile"
    return text


def verdict(figures: Figures, row: Alternative) -> str:
    """What the figures say of an alternative: whether it would be faster, in a sentence."""
    base = TORCH if row.against == "torch" else figures.last
    rival = figures.last if row.is_instead else base
    failures = [figures.failure(case, base, row.name) for case in ALTERNATIVE_CASES]
    gains = {
        case: figures.rate(case, base, row.name) / figures.rate(case, rival) - 1
        for case, failure in zip(ALTERNATIVE_CASES, failures, strict=True)
        if failure is None
    }
    reasons = {case[0]: failure for case, failure in zip(ALTERNATIVE_CASES, failures, strict=True) if failure}
    why = "".join(f"It fails on {net}: {reason}. " for net, reason in reasons.items())
    if not gains and len(set(reasons.values())) == 1:
        return f"It fails: {failures[0]}."
    if not gains:
        return why.strip()
    least = max(LEAST_GAIN, figures.spread())
    than = "than what is used" if row.is_instead or row.against == "used" else "than without"
    faster = [f"{case[0]} ({gain:.0%})" for case, gain in gains.items() if gain > least]
    slower = [f"{case[0]} ({-gain:.0%})" for case, gain in gains.items() if gain < -least]
    if faster:
        but = f", and slower on {' and '.join(slower)}" if slower else ""
        return f"{why}Faster {than} on {' and '.join(faster)}{but}: a candidate."
    if slower:
        rest = "" if len(slower) == len(gains) else ", and no faster on the other"
        return f"{why}Slower {than} on {' and '.join(slower)}{rest}."
    return f"{why}No faster and no slower {than}, within {least:.0%}."


def _size(case: Case) -> str:
    channels, height, width = case[1]
    return f"{height}×{width}×{channels}"
