"""The refusal of an argument, before it is known where in the text it stands."""


class Misfit(Exception):  # noqa: N818 - becomes a SpecError once the place in the text is known
    """Something that an operation cannot do as asked; ``argument`` names the culprit where there is one."""

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
