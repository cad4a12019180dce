"""Tables that name pictures: damaged, and whole ones of odd cells."""

import csv
import io
import json

from ..case import Case, Step, kind
from ..mutations import ODD_VALUES, damaged
from ..samples import tree
from .operations import over_data

_ODD_CELLS = (
    "", " ", "=cmd|' /C calc'!A0", "\x1b]0;x\x07", "\x00", "nan", "1e999", "-1", "../outside/thesis.txt", "/dev/zero",
    "photos", "photos/cat", "photos/cat/none.png", "~root/x.png", "~nosuchuser/x.png", "x" * 5000, "a\nb", 'a"b',
    "日本", "photos\\cat\\0.png", "train", "\ufeff", "http://example.invalid/x.png",
    "photos/cat/0.png\x00", "photos/" * 400,
)  # fmt: skip


@kind("csv damaged")
def csv_damaged(case: Case) -> list[Step]:
    case.photos()
    case.write("table.csv", damaged(case.samples.files["table.csv"], case.random))
    return over_data(case, "table.csv")


@kind("csv of odd cells")
def csv_cells(case: Case) -> list[Step]:
    """Cells, headers, separators and numbers of cells that do not fit."""
    case.photos()
    rows = [[f"photos/{name}", name.partition("/")[0]] for name in tree()]
    header = case.random.choice((["path", "label"], ["path", "label", "split"], ["id", "label"], ["a", "b"], ["x"], []))
    if len(header) == 3:
        rows = [[*row, case.random.choice(("train", "val", "test"))] for row in rows]
    for _ in range(case.random.choice((1, 3, 30))):
        row = case.random.choice(rows)
        row[case.random.randrange(len(row))] = case.random.choice(_ODD_CELLS)
    if case.random.random() < 0.2:
        case.random.choice(rows).append("more")
    stream = io.StringIO()
    stream.write(case.random.choice(("", "", "", "sep=;\n", "\n", "# a remark\n")))
    csv.writer(stream, delimiter=case.random.choice(",,,;\t|")).writerows([header, *rows] if header else rows)
    encoding = case.random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    case.write("table.csv", stream.getvalue().encode(encoding, errors="replace"))
    spec = ("table.csv", "table.csv", "table.csv(targets=label)", "table.csv(images=photos)", "table.csv(split=label)")
    return over_data(case, case.random.choice(spec))


@kind("jsonl")
def jsonl(case: Case) -> list[Step]:
    """A table in a format that is not read."""
    case.photos()
    rows = [{"path": f"photos/{name}", "label": case.random.choice(ODD_VALUES)} for name in tree()]
    text = "\n".join(json.dumps(row, default=str) for row in rows)
    case.write("table.jsonl", damaged(text.encode(errors="replace"), case.random))
    return over_data(case, case.random.choice(("table.jsonl", "csv(table.jsonl)")))
