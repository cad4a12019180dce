"""What is measured: the choices in a step one after another, and the alternatives to them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import machine

Case = tuple[str, tuple[int, int, int]]
"""A network, and channels, height and width of its pictures."""

CASES: list[Case] = [(net, shape) for net in ("vgg-like", "convnet") for shape in ((1, 28, 28), (3, 32, 32))]
ALTERNATIVE_CASES: list[Case] = [("vgg-like", (1, 28, 28)), ("convnet", (3, 32, 32))]

CHOICES = {
    "float32": ("torch's own", "large pages", "memory kept", "pool before ReLU", "Winograd", "grey layer", "one pass"),
    "bfloat16": (
        "torch's own",
        "large pages",
        "memory kept",
        "pool before ReLU",
        "small maps",
        "grey layer",
        "one pass",
    ),
}
"""What each format has in its steps, each on top of those before it; the last is what training does."""

TORCH = CHOICES["float32"].index("pool before ReLU")
"""The place of the last form that is computed by torch's kernels alone."""


@dataclass(frozen=True)
class Alternative:
    """Something done otherwise than training does it.

    :param against: what it is one change to: ``torch``, the form :data:`TORCH`, or ``used``, the last form.
    :param is_instead: whether it could only be had in place of the kernels of our own, so that those are to be beaten.
    :param about: a sentence on what it does, whatever its figures are.
    """

    name: str
    against: str
    about: str
    is_instead: bool = False
    environment: dict[str, str] = field(default_factory=dict)


ALTERNATIVES = (
    Alternative(
        "contiguous N×C×H×W",
        "torch",
        "Before and after its own blocked layouts oneDNN then reorders every feature map; the kernels of our own take "
        "channels-last only.",
        is_instead=True,
    ),
    Alternative(
        "blocked layouts",
        "torch",
        "Feature maps stay in oneDNN's own layouts from the first convolution to the last pool (`Tensor.to_mkldnn`): "
        "nothing is reordered between.",
        is_instead=True,
    ),
    Alternative(
        "no cache of primitives",
        "torch",
        "oneDNN then writes the machine code of every operation anew in every step.",
        environment={"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "0"},
    ),
    Alternative(
        "compiled network",
        "torch",
        "`torch.compile` with static shapes, which needs a C++ compiler and leaves convolutions to oneDNN.",
        is_instead=True,
    ),
    Alternative(
        "compiled network, dynamic",
        "torch",
        "`torch.compile(dynamic=True)`, whose code takes any size of batch.",
        is_instead=True,
    ),
    Alternative(
        "compiled step", "torch", "`torch.compile` of the forward pass together with the loss.", is_instead=True
    ),
    Alternative(
        "compiled whole step",
        "torch",
        "`torch.compile` of all of it, backward (compiled autograd) and AdamW included.",
        is_instead=True,
    ),
    Alternative(
        "optimiser with foreach",
        "used",
        "It makes a pass over all weights and moments for each operation of AdamW; `fused=True` makes one for all.",
    ),
    Alternative("optimiser as a plain loop", "used", "Every weight tensor takes a dozen calls of its own."),
    Alternative(
        "gradients kept",
        "used",
        "`zero_grad(set_to_none=False)`: gradients are cleared and added to, where they would be written.",
    ),
    Alternative("ReLU in place", "used", "What a hook has seen changes under its hands, and what hangs on it with it."),
    Alternative(
        "two processes",
        "used",
        "Of one thread and half of the batch each, gradients added up by gloo's all_reduce; each half is normalised by "
        "its own statistics, and pictures, weights and moments are there twice.",
    ),
)


@dataclass(frozen=True)
class Job:
    """One measurement.

    :param form: the place of the last choice that is made.
    :param change: the name of the alternative, if it is one.
    """

    net: str
    shape: tuple[int, int, int]
    precision: str
    form: int
    change: str = ""

    def has(self, choice: str) -> bool:
        """Whether this choice is made."""
        return choice in CHOICES[self.precision][: self.form + 1]

    def environment(self, like: str | None) -> dict[str, str]:
        """The variables that its process needs."""
        variables = dict(machine.AS_AVX2) if like else {}
        if not self.has("large pages"):
            # Whatever the person's own environment says.
            variables["THP_MEM_ALLOC_ENABLE"] = "0"
        return variables | next((each.environment for each in ALTERNATIVES if each.name == self.change), {})

    @property
    def key(self) -> str:
        """The job as text, which :meth:`loads` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Job":
        """From :attr:`key`."""
        content = json.loads(text)
        return cls(**content | {"shape": tuple(content["shape"])})


def jobs(precision: str) -> Iterator[Job]:
    """All of a format, those of a case beside one another."""
    last = len(CHOICES[precision]) - 1
    for net, shape in CASES:
        for form in forms(precision, (net, shape)):
            yield Job(net, shape, precision, form)
        for alternative in ALTERNATIVES if (net, shape) in ALTERNATIVE_CASES else ():
            yield Job(net, shape, precision, TORCH if alternative.against == "torch" else last, alternative.name)


def forms(precision: str, case: Case) -> list[int]:
    """The places of the choices that make a difference to this case."""
    # Only there are convolutions whose maps are 3×3 or smaller.
    idle = {"small maps"} if case != ("vgg-like", (1, 28, 28)) else set()
    if case[1][0] > 1:
        idle.add("grey layer")
    return [place for place, choice in enumerate(CHOICES[precision]) if choice not in idle]
