"""Serving an exchange: `xos up`. Orders never touch the interpreter; views, health and metrics do."""

from exchange_os.server.keys import KeyFile, load_keys, make_keys
from exchange_os.server.node import Node

__all__ = ["KeyFile", "Node", "load_keys", "make_keys"]
