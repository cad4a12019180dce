"""``cnnlab cache list``."""

from datetime import datetime

from cnnlab.cli import output
from cnnlab.cli.cache.kinds import KINDS, size_of
from cnnlab.cli.options import Json
from cnnlab.core.number_text import in_units


def list_cache(as_json: Json = False) -> None:
    """List what the cache holds and how much room it takes, features by what they are of.

    Features may take up 4 GB together, or what CNNLAB_FEATURES says, such as 20GB: those used longest ago go first.

        cnnlab cache list
    """
    from cnnlab.core.feature_cache import cached_features, limit
    from cnnlab.core.files import cache_folder

    folder = cache_folder()
    sizes = {kind: size_of(folder / kind) for kind in KINDS}
    features = cached_features()
    if as_json:
        output.write_json(
            {
                "folder": folder,
                "kinds": {kind: {"files": count, "bytes": size} for kind, (count, size) in sizes.items()},
                "features_limit": limit(),
                "features": [
                    {**each.about, "pictures": each.pictures, "bytes": each.size, "used": each.used}
                    for each in features
                ],
            }
        )
        return
    output.facts([("folder", folder), ("features may take", in_units(limit()))])
    output.write()
    rows = [(kind, in_units(size), count, KINDS[kind]) for kind, (count, size) in sizes.items() if count]
    output.table(("kind", "size", "files", "what it is"), rows)
    if features:
        output.heading("features, those used longest ago first")
        output.table(
            ("network", "layer", "pictures", "size", "format", "used", "augmented"),
            [
                (
                    str(each.about.get("network", "")),
                    str(each.about.get("layer", "")),
                    each.pictures,
                    in_units(each.size),
                    str(each.about.get("format", "")),
                    datetime.fromtimestamp(each.used).strftime("%Y-%m-%d %H:%M"),
                    str(each.about.get("draw", "")),
                )
                for each in features
            ],
            names=2,
        )
