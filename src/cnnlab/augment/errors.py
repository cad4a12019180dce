"""The refusal of an argument, before it is known where in the text it stands."""


class OperationError(Exception):
    """Something that an operation cannot do as asked; ``argument`` names the culprit where there is one."""

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
