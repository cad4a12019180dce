"""What is wrong with a value by a pydantic model, in a few words."""

from pydantic import BaseModel, ValidationError

_PLACE, _REASON = 80, 120


def what_is_wrong(model: type[BaseModel], value: object) -> str | None:
    """The first field that does not fit the model, and why; None where all do."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return f"{place[:_PLACE]}: {first['msg'][:_REASON]}"
    return None
