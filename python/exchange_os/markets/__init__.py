"""Venue and instrument specifications: TOML -> pydantic -> commands, and the linter."""

from exchange_os.markets.lint import lint
from exchange_os.markets.load import Loaded, Problem, load, loads
from exchange_os.markets.spec import MarketFile
from exchange_os.markets.to_commands import Deployment, Plan, Standing, plan

__all__ = [
    "Deployment",
    "Loaded",
    "MarketFile",
    "Plan",
    "Problem",
    "Standing",
    "lint",
    "load",
    "loads",
    "plan",
]
