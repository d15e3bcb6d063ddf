"""The Rust extension. `make check` compares this file with the built module (mypy.stubtest)."""

from typing import TypedDict

__all__ = ["__version__", "build_info"]

__version__: str

class _BuildInfo(TypedDict):
    version: str
    target: str
    profile: str
    rustc: str

def build_info() -> _BuildInfo:
    """Version, target, profile and compiler of this build, as a dict of strings."""
