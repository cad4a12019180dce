"""Drawn clocks: the hands show what the label says, and a picture depends on its seed and index alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.data.clocks import dial_markings
from cnnlab.data.clocks.drawing import draw_clocks
from cnnlab.data.clocks.faces import LONE_TICKS, RIM_TICKS, ClockOptions, Face, draw_face
from cnnlab.data.clocks.rendering import _inverse, _projection, paint

FRONTAL = ClockOptions(rotate=False, tilt=0, glare=0)
SIZE = 150


def at(face: Face, hour: int, minute: int) -> Face:
    return replace(face, minutes=60 * hour + minute)


def clear(face: Face) -> Face:
    """Without grain, which has nothing to do with the hands."""
    return replace(face, light=replace(face.light, noise=0.0))


def hand_pixels(face: Face, size: int = SIZE, share: float = 0.55) -> np.ndarray:
    """Where the hands are: the picture compared with the same clock without its hands.

    That clock is nowhere painted: it is the median over many times, as any place is free of hands at most of them.
    A pixel counts that changes by at least ``share`` of the greatest change; shadows change less than hands.
    """
    times = range(0, 720, 53)
    empty = np.median([paint(replace(face, minutes=time), size) for time in times], axis=0)
    change = np.abs(paint(face, size) - empty).sum(axis=0)
    return change > share * change.max()


def polar(face: Face, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Radius (1 at the edge of the glass) and angle (degrees, clockwise from the top) of every pixel."""
    middles = np.arange(size) + 0.5
    x = middles[None, :] - face.pose.x * size
    y = middles[:, None] - face.pose.y * size
    return np.hypot(x, y) / (face.pose.radius * size), np.degrees(np.arctan2(x, -y)) % 360


def apart(first: float | np.ndarray, second: float) -> float | np.ndarray:
    """Degrees between two angles, without sign."""
    return abs((first - second + 180) % 360 - 180)


def mean_angle(angles: np.ndarray) -> float:
    return math.degrees(np.angle(np.exp(1j * np.radians(angles)).mean())) % 360


def read_hands(face: Face) -> tuple[float, float]:
    """The angles of the hour and the minute hand, read off the pixels."""
    hands = hand_pixels(face)
    radius, angle = polar(face)
    beyond = hands & (radius > 1.08 * face.hands.hour.length) & (radius < 0.96 * face.hands.minute.length)
    minute = mean_angle(angle[beyond])
    aside = (apart(angle, minute) > 28) & (apart(angle, minute + 180) > 28)
    inner = hands & aside & (radius > 0.5 * face.hands.hour.length) & (radius < 0.9 * face.hands.hour.length)
    return mean_angle(angle[inner]), minute


def frontal_faces(count: int) -> list[Face]:
    """Faces seen from the front whose hands are far enough apart to be told from one another."""
    faces = []
    for index in range(1000):
        face = clear(draw_face(5, index, FRONTAL))
        between = apart(face.minutes / 2, face.minutes % 60 * 6)
        if 40 < between < 140:
            faces.append(face)
        if len(faces) == count:
            break
    return faces


def test_hands_stand_where_the_label_says() -> None:
    for face in frontal_faces(20):
        hour, minute = divmod(face.minutes, 60)
        hour_angle, minute_angle = read_hands(face)
        assert apart(minute_angle, 6 * minute) < 2
        # The true relation: half a degree on for each minute.
        assert apart(hour_angle, 30 * hour + minute / 2) < 3


def test_labels_are_the_time_of_the_face() -> None:
    _, hours, minutes = draw_clocks(range(30), seed=5, size=16)
    shown = [divmod(draw_face(5, index, ClockOptions()).minutes, 60) for index in range(30)]
    assert list(zip(hours.tolist(), minutes.tolist(), strict=True)) == shown
    assert hours.dtype == minutes.dtype == np.int64


def test_three_o_clock_has_one_hand_right_and_one_up() -> None:
    face = clear(draw_face(1, 3, FRONTAL))
    three = hand_pixels(at(face, 3, 0))
    x, y, radius = (round(value * SIZE) for value in (face.pose.x, face.pose.y, face.pose.radius))
    assert three[y - 2 : y + 2, x + round(0.35 * radius)].any()
    assert three[y - round(0.65 * radius), x - 2 : x + 2].any()
    # Nothing to the right beyond the hour hand, below, or to the left beyond a tail.
    assert not three[y - 9 : y + 9, x + round(0.75 * radius)].any()
    assert not three[y + round(0.35 * radius), x - 9 : x + 9].any()
    assert not three[y - 9 : y + 9, x - round(0.35 * radius)].any()


def test_half_past_six_has_the_hour_hand_between_six_and_seven() -> None:
    face = clear(draw_face(1, 3, FRONTAL))
    angle = polar(face)[1]
    radius = polar(face)[0]
    inner = hand_pixels(at(face, 6, 0)) & (radius > 0.2) & (radius < 0.4) & (apart(angle, 0) > 60)
    later = hand_pixels(at(face, 6, 59)) & (radius > 0.2) & (radius < 0.4) & (apart(angle, 354) > 60)
    assert apart(mean_angle(angle[inner]), 180) < 3
    assert apart(mean_angle(angle[later]), 209.5) < 3


def test_a_turned_dial_turns_its_hands() -> None:
    face = frontal_faces(1)[0]
    turned = replace(face, pose=replace(face.pose, turn=math.radians(70)))
    for before, after in zip(read_hands(face), read_hands(turned), strict=True):
        assert apart(after, before + 70) < 3


def test_a_mirrored_dial_mirrors_its_hands() -> None:
    face = frontal_faces(1)[0]
    mirrored = replace(face, pose=replace(face.pose, is_mirrored=True))
    for before, after in zip(read_hands(face), read_hands(mirrored), strict=True):
        assert apart(after, -before) < 3


def test_a_image_depends_on_seed_and_index_alone() -> None:
    together, hours, minutes = draw_clocks(range(40), seed=7, size=64, threads=4)
    order = [17, 3, 39, 3]
    apart_, some_hours, some_minutes = draw_clocks(order, seed=7, size=64, threads=1)
    np.testing.assert_array_equal(apart_, together[order])
    np.testing.assert_array_equal(some_hours, hours[order])
    np.testing.assert_array_equal(some_minutes, minutes[order])
    other, *_ = draw_clocks(range(40), seed=8, size=64)
    assert (together != other).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("options", [{"size": 32}, {"numerals": "roman"}, {"mirror": True}, {"tilt": 0, "glare": 0}])
def test_options_change_the_image_and_not_the_time(options: dict[str, object]) -> None:
    plain, *times = draw_clocks(range(12), seed=2, size=48)
    changed, *same_times = draw_clocks(range(12), seed=2, **{"size": 48, **options})  # type: ignore[arg-type]
    np.testing.assert_array_equal(times, same_times)
    assert changed.shape[-1] == options.get("size", 48)
    assert changed.shape != plain.shape or (changed != plain).any()


def test_all_times_are_equally_likely() -> None:
    minutes = np.array([draw_face(0, index, ClockOptions()).minutes for index in range(3000)])
    assert minutes.min() >= 0 and minutes.max() <= 719
    # 60 places of 50 each: chi-squared with 59 degrees of freedom is below 100 in 999 of 1000 cases.
    for place in (minutes % 60, minutes // 12):
        counts = np.bincount(place, minlength=60)
        assert ((counts - 50) ** 2 / 50).sum() < 100


def test_faces_differ_in_every_way_that_is_promised() -> None:
    faces = [draw_face(3, index, ClockOptions(mirror=True)) for index in range(200)]
    assert {face.hands.hour.style for face in faces} == {"baton", "tapered", "dauphine", "sword", "rounded", "moon"}
    assert {face.wall.pattern for face in faces} == {"plain", "stripes", "tiles", "bricks", "wood"}
    assert {patch.kind for face in faces for patch in face.glare} == {"spot", "window", "streak", "sky"}
    assert 60 < sum(face.pose.is_mirrored for face in faces) < 140
    assert not any(draw_face(3, index, ClockOptions()).pose.is_mirrored for index in range(50))
    assert all(abs(face.pose.tilt) <= math.radians(30) for face in faces)
    assert len({round(face.pose.turn, 2) for face in faces}) > 100
    assert sum(face.dial.numerals is None for face in faces) > 20


@pytest.mark.parametrize(
    ("numerals", "start"), [("arabic", ("sans", "serif", "antique")), ("roman", "roman"), ("quarters", "quarters-")]
)
def test_the_numerals_asked_for_are_on_every_dial(numerals: str, start: str | tuple[str, ...]) -> None:
    styles = [draw_face(4, index, ClockOptions(numerals=numerals)).dial.numerals for index in range(40)]  # type: ignore[arg-type]
    assert all(style and style.startswith(start) for style in styles)


def test_without_numerals_a_mirrored_dial_shows_a_date() -> None:
    for index in range(40):
        dial = draw_face(4, index, ClockOptions(numerals="none", mirror=True)).dial
        assert dial.numerals is None and dial.has_date and dial.ticks in LONE_TICKS


def twelve_stands_out(style: str) -> bool:
    """Whether the ink at twelve differs clearly from that at every other hour."""
    mask = dial_markings.ticks(style, 256)
    window = (slice(0, 90), slice(100, 156))
    at_hours = [np.asarray(mask.rotate(30 * hour, resample=3), np.float64)[window] for hour in range(12)]
    difference = [np.abs(at_hours[0] - other).sum() for other in at_hours[1:]]
    return min(difference) > 0.25 * at_hours[0].sum()


def test_every_dial_without_numerals_marks_twelve() -> None:
    assert all(twelve_stands_out(style) for style in LONE_TICKS)
    assert not any(twelve_stands_out(style) for style in RIM_TICKS if style != "none")


def test_hands_and_print_stand_out_from_the_dial() -> None:
    for index in range(300):
        face = draw_face(6, index, ClockOptions())
        for colour in (face.hands.colour, face.dial.ink):
            assert max(abs(a - b) for a, b in zip(colour, face.dial.colour, strict=True)) > 0.35


def test_the_whole_clock_is_within_the_image() -> None:
    for index in range(300):
        face = draw_face(9, index, ClockOptions(tilt=60))
        forward = np.array(_projection(face.pose, 1))
        reach = (1 - face.case.corner) * math.sqrt(2) + face.case.corner + face.case.width
        angles = np.linspace(0, 2 * math.pi, 60)
        rim = forward @ np.array([reach * np.cos(angles), reach * np.sin(angles), np.ones(60)])
        seen = rim[:2] / rim[2]
        assert seen.min() > -0.02 and seen.max() < 1.02


def test_tilt_is_a_perspective() -> None:
    face = draw_face(0, 0, FRONTAL)
    # Turned by 60 degrees about the upright line, seen from far away: half as broad, as high as before.
    pose = replace(face.pose, x=0.5, y=0.5, radius=0.4, tilt=math.pi / 3, axis=math.pi / 2, distance=1e6)
    forward = np.array(_projection(pose, 100))
    for point, seen in (((1, 0), (70, 50)), ((0, 1), (50, 90)), ((0, 0), (50, 50))):
        x, y, depth = forward @ (*point, 1)
        assert (x / depth, y / depth) == pytest.approx(seen, abs=0.01)
    # From near by, the half that is turned to the camera is larger.
    near = np.array(_projection(replace(pose, distance=3.0), 100))
    (left, right) = (near @ (side, 0, 1) for side in (-1, 1))
    assert abs(left[0] / left[2] - 50) != pytest.approx(abs(right[0] / right[2] - 50), rel=0.2)
    np.testing.assert_allclose(np.array(_inverse(_projection(pose, 100))) @ forward, np.eye(3), atol=1e-9)


def test_glare_brightens_the_glass_and_nothing_else() -> None:
    for index in range(8):
        plain = clear(draw_face(2, index, replace(FRONTAL, glare=0)))
        shining = clear(draw_face(2, index, replace(FRONTAL, glare=1)))
        assert not plain.glare and shining.glare
        difference = paint(shining, SIZE).astype(int) - paint(plain, SIZE)
        # White plates are a shade lighter than reflections on the side of the light.
        assert difference.min() >= -4 and difference.max() > 10
        reach = 1 + (1 - plain.case.corner) * (math.sqrt(2) - 1)
        outside = polar(plain)[0] > reach + 2 / SIZE / plain.pose.radius
        assert not difference[:, outside].any()


@pytest.mark.parametrize("size", [64, 100])
def test_hands_stay_readable_when_small(size: int) -> None:
    for face in frontal_faces(12):
        hands = hand_pixels(face, size, share=0.2)
        radius, angle = polar(face, size)
        beyond = hands & (radius > 1.1 * face.hands.hour.length) & (radius < 0.95 * face.hands.minute.length)
        assert beyond.sum() >= 5
        assert apart(mean_angle(angle[beyond]), face.minutes % 60 * 6) < 4


def test_clocks_are_drawn_into_the_array_given() -> None:
    out = np.zeros((3, 3, 32, 32), np.uint8)
    images, *_ = draw_clocks([4, 5, 6], seed=0, size=32, out=out)
    assert images is out and out.any(axis=(1, 2, 3)).all()
    with pytest.raises(ValueError, match="out must be uint8"):
        draw_clocks([4], seed=0, size=32, out=out)
    empty, hours, minutes = draw_clocks([], seed=0, size=32)
    assert empty.shape == (0, 3, 32, 32) and len(hours) == len(minutes) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 8}, "from 16 to 1024 pixels"),
        ({"tilt": 80}, "0 to 60 degrees, and tilt is 80"),
        ({"glare": 2}, "glare of clocks takes a number from 0 to 1"),
        ({"numerals": "greek"}, "mixed, arabic, roman, quarters or none"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw_clocks([0], seed=0, **options)  # type: ignore[arg-type]
