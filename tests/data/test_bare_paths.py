from pathlib import Path

from PIL import Image

from cnnlab.data import canonical_data


def test_a_bare_path_takes_the_arguments_of_its_reader(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(folder / name / "0.png")
    plain, sized = canonical_data(str(folder)), canonical_data(f"{folder}(size=8)")
    assert "size=none" in plain
    assert sized == plain.replace("size=none", "size=8")
