"""What is shown of how far maps can be trusted: one caption for several methods, and areas as a table."""

from collections.abc import Sequence

from cnnlab.core.number_text import counted, fixed
from cnnlab.explain import MethodRanking, RandomisationTest
from cnnlab.explain.honesty.removal import REMOVALS
from cnnlab.reports.contents.tables import ColumnKind, Table, TableColumn, ends_of, listed

_VERDICTS = {
    "fails": ("fails", "fail"),
    "fails in part": ("fails in part", "fail in part"),
    "passes": ("passes", "pass"),
    "undecided": ("is not decided", "are not decided"),
}


def randomisation_caption(tests: Sequence[RandomisationTest]) -> str:
    """Which methods fail, with the similarity that it rests on and its interval; the rule once for all."""
    first = tests[0]
    told = []
    for verdict, (one, several) in _VERDICTS.items():
        own = [test for test in tests if test.verdict == verdict and test.pictures]
        if own:
            told.append(f"{listed([_told(test) for test in own])} {one if len(own) == 1 else several}")
    blank = [test.method for test in tests if not test.pictures]
    if blank:
        told.append(f"maps of {listed(blank)} are blank to begin with, which says nothing")
    over = f"{counted(first.draws, 'draw')} and {counted(max(test.pictures for test in tests), 'picture')}"
    rule = fixed(first.threshold, 2)
    return (
        f"Rank correlation of maps, as magnitudes, with those of the trained network as its weights become random from "
        f"the top down: means over {over}, bands are {100 * first.level:g}% intervals. A method fails whose whole "
        f"interval is above {rule} when all is random, in part when only some layers are. {'; '.join(told)}. Dashed is "
        "an edge detector, which nothing changes. What fails shows the picture more than what was learned; what passes "
        "is not thereby right."
    )


def _told(test: RandomisationTest) -> str:
    """``saliency (0.61 [0.55 to 0.67])``."""
    number, at = _where_it_fails(test)
    return f"{test.method} ({number}{'' if at is None else f' down to {at}'})"


def _where_it_fails(test: RandomisationTest) -> tuple[str, str | None]:
    """The similarity with its interval; of what fails in part with all above a layer random, else with all."""
    at = test.insensitive_above if test.verdict == "fails in part" else None
    found = test.curve()[-1 if at is None else test.layers.index(at)]
    ends = "" if found.interval is None else f" [{fixed(found.interval.low, 2)} to {fixed(found.interval.high, 2)}]"
    return f"{fixed(found.value, 2)}{ends}", at


def areas_sentence(ranking: MethodRanking, score: str) -> str:
    """The mean area under deletion and insertion of each method, beside that of random orders.

    :param score: what was scored, ``probability`` or ``output``.
    """
    parts = []
    for way in REMOVALS:
        measure = ranking.measures[way]
        each = [f"{measure.methods[place]} {fixed(measure.estimate(place).value, 3)}" for place in measure.order]
        parts.append(f"under {way} {', '.join(each)}, random orders {fixed(measure.by_chance.value, 3)}")
    return f"Mean areas of the {score}: {'; '.join(parts)}."


def measures_table(ranking: MethodRanking) -> Table:
    """A row a method, and one for chance: each measure with its interval over pictures or mosaics."""
    columns = [TableColumn("method", "method")]
    for name in ranking.measures:
        kind: ColumnKind = "share" if name == "pointing" else "number"
        title = name if name == "pointing" else f"area under {name}"
        columns += [TableColumn(name, title, kind), TableColumn(f"{name} interval", "95% interval", kind)]
    rows = []
    for place, method in enumerate((*ranking.methods, "by chance")):
        row: list[object] = [method]
        for measure in ranking.measures.values():
            found = measure.by_chance if place == len(ranking.methods) else measure.estimate(place)
            row += [found.value, ends_of(found.interval)]
        rows.append(tuple(row))
    note = "Of deletion a small area is good, of insertion a large one, and of pointing a large share."
    return Table("trust", "Deletion, insertion and pointing", tuple(columns), tuple(rows), note=note).without_empty()
