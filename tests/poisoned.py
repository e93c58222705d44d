"""`gunicorn tests.poisoned:app`: the product with a decoder that photos can break. See tests.recognition.poison."""

from app.recognition import decoder

decoder._shared._module = "tests.recognition.poison"
decoder._shared._seconds = 3

from wsgi import app  # noqa: E402, F401
