"""Pictures that are damaged, in every format that is read."""

from ..case import Case, Step, kind
from ..mutations import damaged
from ..samples import PICTURE_KINDS, picture
from .operations import over_data, over_pictures

_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif"}


def _maker(name: str) -> None:
    @kind(f"picture {name.lower()}")
    def make(case: Case) -> list[Step]:
        other = picture(1, case.random.choice(PICTURE_KINDS))
        content = damaged(picture(case.random.randrange(99), name, case.random.choice((1, 10, 40))), case.random, other)
        suffix = _SUFFIXES.get(name, name.lower())
        if case.random.random() < 0.1:
            suffix = case.random.choice(("png", "jpg", "tif", "gif", "jfif", "webp", "PNG", "heic"))
        if case.random.random() < 0.4:
            photos = case.photos()
            (photos / "cat" / f"damaged.{suffix}").write_bytes(content)
            return over_data(case, case.random.choice(("photos", "photos", "photos(on_bad=skip)", "photos(size=4)")))
        path = case.write(f"damaged.{suffix}", content)
        return over_pictures(case, path.name)


for _name in PICTURE_KINDS:
    _maker(_name)
