"""The named data sets of the catalogue, each a reader by its name."""

from dataclasses import replace
from typing import Any

from cnnlab.data.catalogue import NamedSet, named_sets
from cnnlab.data.download import Located, locate
from cnnlab.data.reading import SearchPath, Source, reader
from cnnlab.data.sources.cifar import cifar_source
from cnnlab.data.sources.folder import folder_source
from cnnlab.data.sources.idx import idx_source


def _register(entry: NamedSet) -> None:
    def named(place: SearchPath) -> Source:
        located = locate(entry.name, place.data_dir, place.offline)
        facts = entry.to_dict()
        told = {key: facts[key] for key in ("title", "homepage", "licence", "citation", "note") if facts[key]}
        source = _source(located)
        return replace(source, name=entry.name, facts={**told, **source.facts, "verified": located.verified})

    named.__doc__ = f"{entry.title}. {entry.licence}."
    defaults: dict[str, Any] = {key: value for key, value in entry.options.items() if key != "root"}
    reader(entry.name, **defaults)(named)


def _source(located: Located) -> Source:
    entry, paths = located.entry, located.paths
    if entry.kind == "cifar":
        return cifar_source(paths["archive"])
    if entry.kind == "folder":
        return folder_source(paths["archive"], located.options.get("root"))
    pairs = {split: (paths[f"{split}_images"], paths[f"{split}_labels"]) for split in ("train", "test")}
    return idx_source(entry.name, dict(pairs), entry.classes)


for _entry in named_sets():
    _register(_entry)
