"""Exchange OS: an exchange you can import."""

from exchange_os._core import __version__, build_info

__all__ = ["__version__", "build_info"]
