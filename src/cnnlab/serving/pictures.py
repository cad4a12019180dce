"""One picture out of a request: its file as the body, or as a part of a form."""

from dataclasses import replace
from typing import Any

import numpy as np

from cnnlab.data.formats.decode import BadImageError, Form, WhiteUnknownError, decode, header_size, largest_value
from cnnlab.serving.engine import Pixels
from cnnlab.serving.refusals import RefusedError

_MOST_PARTS = 16


def picture_file(body: bytearray, content_type: str) -> bytes | bytearray:
    """The bytes of the file of a picture.

    :param content_type: of the request: ``image/…``, ``application/octet-stream``, none at all, or a form.
    :raises RefusedError: 415 for another kind, 400 for a form that does not hold one file.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _file_of_form(body, content_type)
    if kind.startswith("image/") or kind in ("", "application/octet-stream"):
        return body
    raise RefusedError(
        415, "send the file of a picture, as image/png is one, or a form (multipart/form-data) that holds it."
    )


def decoded(content: bytes | bytearray, form: Form, most_pixels: int) -> Pixels:
    """A picture as the model takes it, 1×C×H×W.

    Of more than 8 bits a pixel, white is what it was in training, or else told by the picture itself.

    :param most_pixels: that it may have, which its header says before it is decoded.
    :raises RefusedError: 413 when it has more, 400 when it cannot be read.
    """
    content = bytes(content)
    try:
        width, height = header_size(content)
        if width * height > most_pixels:
            reason = f"the picture has {width:,}×{height:,} pixels, and more than {most_pixels:,} are not decoded."
            raise RefusedError(413, reason)
        try:
            pixels = decode(content, form).pixels
        except WhiteUnknownError:
            told = replace(form, white=form.white.told_by(largest_value(content)))
            pixels = decode(content, told).pixels
    except BadImageError as error:
        raise RefusedError(400, f"the body cannot be read as a picture: {error}.") from None
    # A copy, for what Pillow shows may not be written, as memory of tensors may.
    return np.array(pixels)[None]


def _file_of_form(body: bytearray, content_type: str) -> bytes:
    """The one file that a form holds; its other fields are passed over."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import FormParser, parse_options_header

    files: list[Any] = []
    parts = 0

    def take(part: Any) -> None:
        nonlocal parts
        parts += 1
        if parts > _MOST_PARTS:
            raise RefusedError(400, f"the form has more than {_MOST_PARTS} parts.")
        if hasattr(part, "file_object"):
            files.append(part)

    _, options = parse_options_header(content_type)
    # Nothing is put on the disk: the whole is in memory already, and its size is checked.
    config = {"MAX_MEMORY_FILE_SIZE": len(body) + 1}
    try:
        parser = FormParser("multipart/form-data", take, take, boundary=options.get(b"boundary"), config=config)
        parser.write(bytes(body))
        parser.finalize()
    except FormParserError as error:
        raise RefusedError(400, f"the form cannot be read ({error}).") from None
    if len(files) != 1:
        raise RefusedError(400, f"a form with one file is answered, and this one has {len(files)}.")
    file = files[0].file_object
    file.seek(0)
    content: bytes = file.read()
    return content
