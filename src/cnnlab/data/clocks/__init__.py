"""Drawn clock faces: pictures of analogue clocks that look like photographs, with the time they show."""
