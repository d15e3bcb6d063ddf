"""What a market file loses at its worst: attacks on its perpetuals, played on the engine."""

from exchange_os.markets.stress.assumptions import Assumptions
from exchange_os.markets.stress.attacks import Attack
from exchange_os.markets.stress.findings import Stress, stress

__all__ = ["Assumptions", "Attack", "Stress", "stress"]
