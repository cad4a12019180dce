"""Words: specs, recipes and studies in YAML, flags."""

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES, damaged
from ..samples import STUDY, TRAINING
from .operations import step

_SPECS = {
    "data": ("folder(path=photos)", "photos(size=8)", "npz(data.npz)", "clocks(n=5, size=16)", "digits",
    "csv(t.csv, targets=[a, b])"),
    "model": ("mlp(hidden=[4])", "conv(8)|relu|pool|head", "vgg-like(width=0.1)", "resnet18",
    "cnn(init=he-normal, l2=1e-4)"),
    "augment": ("flip|shift(0.1)", "rotate(30)|erase(p=0.5)", "choose(flip, rotate(3))", "mixup(0.2)", "none"),
    "optimizer": ("adamw(lr=1e-3)", "sgd(lr=0.1, momentum=0.9)", "sgd(lr=1/3)"),
    "schedule": ("one-cycle", "cosine", "step(every=1, factor=1/2)", "warmup(1)|cosine"),
    "objective": ("classes", "binary(positive=cat)", "quantity(column=x)", "heads(a=classes)"),
}  # fmt: skip
PIECES = (
    "(", ")", "[", "]", "{", "}", "|", ",", "=", '"', "'", "\\", "1e999", "-", "--1", "1/0", "9**9**9", "2**99999",
    "nan", "inf", "0x1", "1_000", "١٢", "½", "none", "true", "\x00", "\x1b", "\n", "\t", " ", "日本", "\ud800", "a.b.c",
    "*", "&", "!!x", "~", "(" * 500, "[" * 500, "-" * 5000, "1" * 5000, "a" * 5000, "flip|" * 2000, "1+" * 3000, "!",
    "%", "$HOME", "`", ";", "<", "#",
)  # fmt: skip
_YAML_PIECES = (
    "!!timestamp x", "!!bool x", "!!float ''", "!!int x", "!!map [1]", "!!set {a}", "!!omap [a]", "!!binary '%'",
    "!!null x", "!!python/name:os.system", "!x", "&a [*a]", "*b", "<<: {x: 1}", "<<: *a", "? [1, 2]", "- - - -", "|",
    ">", "{a: {a: {", "[" * 2000, "{a: " * 2000, "9" * 5000, "0o7777777777777777777777777", "1:60:60:60",
    "2026-99-99", "0.1e+99999", "'", '"\\x', "\t", "\x00", "\x85", "\ufeff", "---\n---", "...", "%YAML 9.9",
    "%TAG ! x", "a: b: c", "@", "`", "=", "~", "{}", "[]", "yes", ".inf", ".nan", "0b102", "1_0", "\n" * 3000,
    "# " + "x" * 9000, "x: " * 50, "\ud800", "data: photos\ndata: photos",
)  # fmt: skip


@kind("specs")
def specs(case: Case) -> list[Step]:
    case.photos()
    key = case.random.choice(list(_SPECS))
    text = odd_text(case, case.random.choice(_SPECS[key]), PIECES)
    draw = case.random.random()
    if draw < 0.5:
        words = {"data": "photos", key: text}
        return [step("train", *(f"{name}={value}" for name, value in words.items()), "epochs=1", "threads=1", "-q")]
    if key == "data":
        return [step("data", "check", text)]
    if key == "augment":
        return [step("augment", "preview", "data=photos", f"augment={text}", "--count", "2")]
    return [
        step("models", "show", text, "--input", case.random.choice(("1x8x8", "3x10x10", "0x0x0", "x", "1x1", "-1x1x1")))
    ]


@kind("recipes")
def recipes(case: Case) -> list[Step]:
    """Recipe files with odd pieces of YAML, and with odd values for their keys."""
    case.photos()
    text = (
        "data: folder(path=photos)\nmodel: mlp(hidden=[4])\nepochs: 1\nthreads: 1\nprecision: float32\nbatch_size: 8\n"
    )
    key = case.random.choice(("augment", "optimizer", "seed", "epochs", "batch_size", "phases", "label_smoothing",
                              "normalize", "balance", "early_stopping", "select", "weight_decay", "device", "unknown",
                              "splits"))  # fmt: skip
    if case.random.random() < 0.4:
        text += f"{key}: {_yaml_of(case)}\n"
    else:
        text = odd_text(case, text, _YAML_PIECES)
    content = text.encode("utf-8", errors="surrogatepass")
    if case.random.random() < 0.2:
        content = damaged(content, case.random)
    case.write("recipe.yaml", content)
    return [step("train", "recipe.yaml", "--name", "new", *case.random.choice(([], ["seed=1"], ["-q"])))]


@kind("studies")
def studies(case: Case) -> list[Step]:
    case.photos()
    text = odd_text(case, STUDY, (*_YAML_PIECES, *PIECES))
    content = text.encode("utf-8", errors="surrogatepass")
    if case.random.random() < 0.3:
        content = damaged(content, case.random)
    case.write("study.yaml", content)
    return [step("study", case.random.choice(("plan", "plan", "show", "report")), "study.yaml")]


@kind("keys and flags")
def keys_and_flags(case: Case) -> list[Step]:
    """Values that no key or flag takes."""
    case.photos()
    case.runs("base")
    value = str(case.random.choice((*ODD_VALUES, *PIECES))).replace("\x00", case.random.choice(("", "\x01")))
    value = (
        value.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="surrogateescape")
        if _fits(value)
        else "?"
    )
    flag = case.random.choice(("--runs", "--data-dir", "--device", "--name", "--out", "--limit", "--sort", "--nosuch"))
    key = case.random.choice(
        ("seed", "batch_size", "precision", "device", "threads", "kernels", "select", "data", "x", "")
    )
    lines = (
        ["train", "data=photos", f"{key}={value}", "epochs=1", *TRAINING[:2]],
        ["train", "data=photos", "epochs=1", *TRAINING, flag, value],
        ["predict", "base", "photos", flag, value],
        ["runs", "list", flag, value],
        ["runs", "show", value],
        ["report", "base", flag, value],
        ["evaluate", "base", f"{key}={value}"],
        ["data", "check", "photos", flag, value],
        ["data", "check", f"photos({key}={value})"],
        ["predict", value, value],
        [value, value],
    )
    return [step(*case.random.choice(lines))]


def _fits(value: str) -> bool:
    try:
        value.encode("utf-8", errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def odd_text(case: Case, text: str, pieces: tuple[str, ...]) -> str:
    """The text with a few pieces put in, over what stands there, or taken away."""
    for _ in range(case.random.choice((1, 1, 2, 4))):
        start = case.random.randrange(len(text) + 1)
        end = start + case.random.choice((0, 0, 1, 3, 10))
        text = text[:start] + case.random.choice((*pieces, "")) + text[end:]
    # What no command line can hold.
    return text


def _yaml_of(case: Case) -> str:
    value = case.random.choice((*ODD_VALUES, *_YAML_PIECES))
    if isinstance(value, dict):
        return "{x: {y: 1}}"
    return str(value)
