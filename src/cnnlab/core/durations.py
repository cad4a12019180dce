"""Times as people read them."""


def clock_text(seconds: float) -> str:
    """As on a clock: ``0:41``, ``3:07``, ``2:15:00``."""
    hours, minutes, rest = _parts(seconds)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short_duration(seconds: float | None) -> str:
    """For a column: ``0.04 s``, ``41.0 s``, ``3:07 min``, ``2:15:00 h``; nothing where there was none."""
    if not seconds:
        return ""
    hours, minutes, _ = _parts(seconds)
    return f"{clock_text(seconds)} {'h' if hours else 'min'}" if hours or minutes else _in_seconds(seconds)


def duration_in_words(seconds: float) -> str:
    """For a sentence: ``3.2 s``, ``41 s``, ``3 min 07 s``, ``2 h 15 min``."""
    if seconds < 60:
        return _in_seconds(seconds) if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes, rest = _parts(seconds)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _in_seconds(seconds: float) -> str:
    """Two digits of less than a second, which would be none at all with one."""
    return "< 0.01 s" if 0 < seconds < 0.01 else f"{seconds:.{2 if seconds < 1 else 1}f} s"


def _parts(seconds: float) -> tuple[int, int, int]:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return (*divmod(minutes, 60), rest)
