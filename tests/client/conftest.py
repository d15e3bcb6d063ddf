"""The API in a thread, as the tests of the API have it."""

from tests.api.conftest import server

__all__ = ["server"]
