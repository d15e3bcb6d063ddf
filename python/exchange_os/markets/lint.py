"""What is wrong, or suspicious, with a market file that can be read."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_os._core import Reject
from exchange_os.errors import Rejected
from exchange_os.exact import plain_text
from exchange_os.markets.admission import admission_doubts
from exchange_os.markets.lines import Path
from exchange_os.markets.load import Loaded, Problem
from exchange_os.markets.phases import phase_doubts
from exchange_os.markets.resolution import doubts, rehearsed
from exchange_os.markets.spec import Perpetual, Question, Spot
from exchange_os.markets.to_commands import Deployment, Standing, plan

# The engine's numbers of the fields of a specification (SpecOutOfBounds), as the file names them.
_FIELDS: dict[int, tuple[tuple[str, ...], str]] = {
    1: (("decimals",), "at most 18"),
    2: (("tick_size",), "one tick times one lot must be at least one atom"),
    3: (("price_max",), "1 to 2^40 - 1 ticks"),
    4: (("qty_min",), "at least one lot"),
    5: (("qty_max",), "qty_min to 2^40 - 1 lots"),
    6: (("notional_min",), "0 to 2^96 - 1 atoms"),
    7: (("notional_max",), "notional_min to 2^96 - 1 atoms, and above 0"),
    8: (("position_max",), "1 to 2^40 - 1 lots, and highest price x position_max below 2^96 atoms"),
    9: (("orders_per_account_max",), "at least 1"),
    10: (("band_ppm",), "0 to 999,999"),
    11: (("fees", "taker_ppm"), "0 to 100,000"),
    12: (("fees", "maker_ppm"), "-taker_ppm to 100,000"),
    13: (("split",), "each 0 to 1,000,000, together exactly 1,000,000"),
    14: (("base",), "base and quote must stand and differ"),
    15: (("lot_size",), "one lot must be 1 to 2^63 - 1 base atoms, and qty_max below 2^96"),
    16: (("initial_margin_ppm",), "1 to 1,000,000"),
    17: (("maintenance_margin_ppm",), "1 to initial_margin_ppm"),
    18: (("outcomes",), "2 to the declared outcomes_per_question_max"),
    19: (("tick_size",), "one unit must be 2 to 2^40 - 1 ticks"),
    20: (("tick_size",), "the highest price must be one tick below the unit"),
    21: (("tick_size",), "tick_size and lot_size have 1 to 32 characters"),
    22: (("orders_per_account_max",), "at most 4,194,304"),
    31: (("key",), "64 hexadecimal digits"),
    32: (("oracle", "sources"), "1 to 16 publishers"),
    33: (("oracle", "sources"), "each publisher stands and is named once"),
    34: (("oracle", "sources"), "weights are 1 to 1,000,000"),
    35: (("oracle", "sources_min"), "1 to the number of sources"),
    36: (("oracle", "sources"), "no weight above half of all, unless sources_min is 1"),
    37: (("oracle", "stale_after_ms"), "1 to 3,600,000"),
    38: (("oracle", "deviation_ppm"), "1 to 999,999"),
    39: (("oracle", "step_max_ppm"), "0 to 999,999"),
    40: (("oracle", "mark_band_ppm"), "1 to 999,999"),
    41: (("oracle", "reopen_ms"), "0 to 3,600,000"),
    43: (("funding", "interval_h"), "1, 4 or 8"),
    44: (("funding", "interest"), "at most 1 % either way"),
    45: (("funding", "clamp"), "0 to 1 %"),
    46: (("funding", "cap"), "above 0, at most 10 %"),
    47: (("funding", "impact_notional"), "1 to 2^80 - 1 atoms"),
    48: (("funding", "sample_s"), "1 to 60"),
    52: (("tiers",), "at most 16"),
    53: (("tiers",), "notional_from rises from tier to tier, below 2^96 atoms"),
    54: (("tiers",), "initial_margin_ppm does not fall from tier to tier, at most 1,000,000"),
    55: (("tiers",), "maintenance_margin_ppm does not fall, at most initial_margin_ppm"),
    58: (("collateral",), "at most 16 tiers"),
    59: (("base",), "collateral is declared once for an asset, on spot against the settlement asset"),
    60: (("collateral",), "up_to rises from tier to tier"),
    61: (("collateral",), "haircut_ppm does not fall from tier to tier, at most 1,000,000"),
    56: (("open_interest_scaling", "lower"), "0 to 2^96 - 1 atoms"),
    57: (("open_interest_scaling", "upper"), "above lower, below 2^96 atoms"),
    62: (("margin_mode",), "of a perpetual"),
    82: (("debt_max",), "of the settlement asset, 0 to 2^96 - 1 atoms"),
    91: (("triggers_fired_per_command_max",), "at least 1"),
    93: (("debt_interest_ppm",), "of the settlement asset, 0 to 1,000,000"),
    83: (("conversion_slippage_ppm",), "only of collateral"),
    84: (("conversion_slippage_ppm",), "0 to the haircut of the first tier"),
    72: (("liquidation", "slice_ppm"), "1 to 1,000,000"),
    73: (("liquidation", "full_below"), "0 to 2^96 - 1 atoms"),
    74: (("liquidation", "cooldown_ms"), "0 to 3,600,000"),
    75: (("liquidation", "fee_ppm"), "0 to 100,000"),
    76: (("liquidation", "backstop_ppm"), "0 to 1,000,000"),
    77: (("liquidation", "insurance_draw_max"), "0 to 2^96 - 1 atoms"),
    78: (("liquidation", "tranche"), "an account from 1 to accounts_max, not an isolated one"),
    79: (("liquidation", "tranche"), "notional_max above 0, below 2^96 atoms"),
    80: (("liquidation", "hedge"), "an asset other than the settlement asset"),
    81: (("liquidation", "hedge"), "atoms_per_lot from 1 to 2^63 - 1"),
    86: (("liquidation", "growth"), "with the policy growing, and with no other"),
    87: (("liquidation", "growth"), "duration_s from 1 to 86,400"),
    88: (("liquidation", "growth"), "initial_ppm from 0 to 1,000,000"),
    89: (("liquidation", "growth"), "small_shortage from 0 to 2^96 - 1 atoms"),
    90: (("liquidation", "spread_ppm"), "1 to 10,000,000 with price fillable, none without"),
    101: (("halt", "move_ppm"), "1 to 999,999"),
    102: (("halt", "window_s"), "1 to 600"),
    103: (("halt", "pause_s"), "1 to 86,400"),
    104: (("halt", "post_only_s"), "0 to 86,400"),
    111: (("instruments",), "1 to 16 perpetuals"),
    112: (("instruments",), "each a perpetual of no other underlying, named once"),
    113: (("scenarios",), "1 to 64 scenarios"),
    114: (("scenarios",), "shock_ppm from -999,999 to 10,000,000"),
    115: (("scenarios",), "weight_ppm from 1 to 1,000,000"),
    116: (("maintenance_ppm",), "1 to 1,000,000"),
    117: (("floor_ppm",), "0 to 1,000,000"),
    118: (("width_ppm",), "0 to 999,999"),
    119: (("link", "underlying"), "an underlying that stands"),
    120: (("link", "instrument"), "a perpetual of the underlying"),
    121: (("link", "bounds"), "one less than outcomes"),
    122: (("link", "bounds"), "above 0, at most the highest price, rising"),
    123: (("link", "bounds"), "every price belongs to one outcome"),
    131: (("admission", "requires"), "classes that stand"),
    132: (("admission", "forbids"), "classes that stand and that are not required"),
    133: (("counterparty", "requires"), "classes with counterparty = true"),
    134: (("counterparty", "forbids"), "classes with counterparty = true that are not required"),
    135: (("profiles_max",), "1 to 63"),
    140: (("fees_to",), "0 to accounts_max"),
    141: (("lists",), "numbers of instruments, from 1 to instruments_max"),
    142: (("venue",), "a venue that stands and is open"),
    143: (("tiers",), "at most 16, and only of a venue with fees"),
    144: (("tiers",), "volume_from is above 0 and rises from tier to tier, below 2^96 atoms"),
    145: (("tiers",), "taker_ppm is at least 0 and does not rise from tier to tier, from that of fees on"),
    146: (("tiers",), "maker_ppm does not rise, and is not below minus the least taker_ppm of all tiers"),
    147: (("lists",), "a simulated venue trades its own instruments alone"),
    148: (("venue",), "what a simulated venue trades is no collateral and has no resolvers"),
    151: (("resolution", "rule"), "1 to 65,536 bytes"),
    152: (("resolution", "sources"), "1 to 16 of them"),
    153: (("resolution", "sources"), "each 1 to 256 bytes"),
    154: (("resolution", "closes"), "later than now"),
    155: (("resolution", "propose_s"), "1 to 31,536,000"),
    156: (("resolution", "resolvers"), "1 to 16 accounts"),
    157: (("resolution", "resolvers"), "each account stands, and no owner is named twice over both sets"),
    158: (("resolution", "bond"), "above 0, below 2^96 atoms"),
    159: (("resolution", "challenge_s"), "1 to 2,592,000"),
    160: (("resolution", "second_resolvers"), "1 to 16 accounts"),
    161: (("resolution", "second_bond"), "more than bond, below 2^96 atoms"),
    94: (("resolution", "bond_share_ppm"), "0 to 1,000,000"),
    162: (("resolution", "quorum"), "more than half of second_resolvers, at most all"),
    163: (("resolution", "decide_s"), "1 to 31,536,000"),
    164: (("resolution", "void"), "a share for each outcome"),
    165: (("resolution", "void"), "each 0 to 1, together 1"),
    167: (("any_other",), "one of the outcomes"),
    168: (("outcomes_max",), "more than there are, at most outcomes_per_question_max; not with a link"),
    169: (("payouts_per_command_max",), "at least 1"),
    171: (("phases", "opens"), "later than now, and before resolvers take over"),
    172: (("phases", "closes"), "later than now and than opens, and not after resolvers take over"),
    173: (("phases", "reopen_auction_s"), "0 to 86,400"),
    174: (("delisting_auction_s",), "0 to 86,400"),
    181: (("change_delay_s_min",), "at most 31,536,000"),
    184: (("voting", "voters"), "1 to 64 of them"),
    186: (("fees", "ceiling_ppm"), "0, or at least both rates and at most 100,000"),
    187: (("voting", "voters"), "accounts that rise, each from 1 to accounts_max"),
    189: (("delisting_window_s",), "1 to 86,400"),
    190: (("stake_asset",), "an asset that stands"),
    191: (("stakes",), "each 0 to 2^96 - 1 atoms"),
    192: (("slot_price_min",), "above 0, below 2^96 atoms"),
    193: (("slot_auction_s",), "1 to 2,592,000"),
    194: (("release_wait_s",), "at most 31,536,000"),
    195: (("bounds", "leverage_max"), "at most 1,000,000"),
    196: (("bounds", "maintenance_ppm_min"), "0 to 1,000,000"),
    197: (("bounds", "fee_ppm_max"), "0 to 100,000"),
    198: (("bounds", "band_ppm_max"), "0 to 999,999"),
    199: (("bounds", "mark_band_ppm_max"), "0 to 999,999"),
    200: (("bounds", "sources_min"), "at most 16"),
    201: (("bounds", "funding_cap"), "at least 0"),
    202: (("bounds", "insurance_draw_max"), "0 to 2^96 - 1 atoms"),
    203: (("voting", "voters"), "weights of 1 to 2^32 - 1"),
    204: (("voting", "quorum_ppm"), "1 to 1,000,000"),
    205: (("voting", "majority_ppm"), "500,001 to 1,000,000"),
    206: (("voting", "voting_s"), "1 to 2,592,000"),
    207: (("voting", "time_lock_s"), "change_delay_s_min to 31,536,000"),
    208: (("voting", "guardians"), "at most 16 accounts that rise, each from 1 to accounts_max"),
    209: (("voting", "emergency_s"), "at most 604,800, above 0 with guardians"),
    211: (("implied",), "with it at most matches_per_command_max + 1 outcomes"),
}


def lint(loaded: Loaded) -> list[Problem]:
    """Everything found, in order of line: errors forbid the deployment, warnings do not."""
    planned = plan(loaded)
    problems = list(planned.problems)
    if not problems:
        problems += rehearse(loaded, planned.missing, Standing())
    problems += _warnings(loaded)
    return sorted(problems, key=lambda problem: (problem.line, problem.severity))


def _explain(loaded: Loaded, deployment: Deployment, reject: Rejected) -> Problem:
    """A reject of the engine as a problem of the file."""
    path: Path = deployment.path
    message = reject.sentence
    if reject.reject is Reject.SPEC_OUT_OF_BOUNDS and reject.limit in _FIELDS:
        fields, bounds = _FIELDS[reject.limit]
        path = (*path, *fields)
        message = f"{reject.value} is outside the bounds ({bounds})"
    elif reject.reject is Reject.OUTSIDE_MARKET_BOUNDS and reject.limit in _FIELDS:
        fields, _ = _FIELDS[reject.limit]
        path = (*path, *fields)
        message = f"{reject.value} is outside the bounds of governance above every market"
    elif reject.reject is Reject.LIMIT_OF_DEPLOYMENTS and deployment.kind == "question":
        path = (*path, "outcomes_max" if (*path, "outcomes_max") in loaded.lines else "outcomes")
    elif reject.reject in {Reject.SYMBOL_INVALID, Reject.SYMBOL_TAKEN}:
        path = (*path, "symbol")
        message = f"{deployment.symbol!r}: {reject.sentence}"
    return loaded.problem(path, message)


def rehearse(loaded: Loaded, missing: list[Deployment], standing: Standing) -> list[Problem]:
    """Deploys in memory first, on top of the same things: the engine judges, and nothing is at stake."""
    from exchange_os.exchange import Exchange

    problems = []
    before = [] if standing.fresh else list(standing.bodies.values())
    rehearsal = rehearsed([*before, *(deployment.body for deployment in missing)])
    with Exchange.open(events_kept_max=0, trades_kept_max=0) as exchange:
        for place, body in enumerate(rehearsal.bodies):
            new = place - len(before)
            if place == rehearsal.first:
                for number in range(rehearsal.accounts):
                    exchange.open_account(f"resolver {number}", time_ns=0 if new < 0 else None)
            try:
                # Questions that stand may have closed since they were deployed.
                exchange.deploy_body(body, time_ns=0 if new < 0 else None)
            except Rejected as reject:
                if new < 0:
                    raise
                problems.append(_explain(loaded, missing[new], reject))
    return problems


def _warnings(loaded: Loaded) -> Iterator[Problem]:
    spec = loaded.spec
    used = {asset.symbol for asset in spec.assets[:1]}
    for index, instrument in enumerate(spec.instruments):
        path: Path = ("instrument", index)
        if isinstance(instrument, Spot):
            used |= {instrument.base, instrument.quote}
        for field, message in _suspicions(instrument):
            yield loaded.problem((*path, field), message, "warning")
        for field, message in phase_doubts(instrument):
            yield loaded.problem((*path, "phases", field), message, "warning")
    for index, question in enumerate(spec.questions):
        for field, message in _suspicions(question):
            yield loaded.problem(("question", index, field), message, "warning")
        for field, message in doubts(question.resolution) if question.resolution is not None else ():
            yield loaded.problem(("question", index, "resolution", field), message, "warning")
    for path, message in admission_doubts(spec):
        yield loaded.problem(path, message, "warning")
    for index, asset in enumerate(spec.assets):
        if asset.symbol not in used:
            yield loaded.problem(("asset", index), f"nothing in this file uses {asset.symbol}", "warning")
    if not spec.instruments and not spec.questions:
        yield loaded.problem((), "the file has neither an instrument nor a question", "warning")


def _suspicions(item: Spot | Perpetual | Question) -> Iterator[tuple[str, str]]:
    if isinstance(item, Perpetual):
        if item.band_ppm == 0:
            yield (
                "band_ppm",
                "0 means no price band: one order through a thin book can move the last price at will",
            )
        if item.initial_margin_ppm < 10_000:
            leverage = 1_000_000 // max(item.initial_margin_ppm, 1)
            yield "initial_margin_ppm", f"{item.initial_margin_ppm} ppm allow {leverage}-fold leverage"
        if item.initial_margin_ppm == item.maintenance_margin_ppm:
            yield (
                "maintenance_margin_ppm",
                "it equals initial_margin_ppm: a position can be due for liquidation at once",
            )
    if not isinstance(item, Question) and item.oracle is not None and item.oracle.sources_min == 1:
        yield "oracle", "sources_min is 1: one publisher alone decides the index"
    if isinstance(item, Question) and len(item.text) < 20:
        yield "text", f"{len(item.text)} characters hardly say how the question is resolved"
    if item.notional_max < item.tick_size * item.lot_size:
        yield "notional_max", f"{plain_text(item.notional_max)} is less than one lot at one tick"
    if item.fees.taker_ppm == 0 and item.fees.maker_ppm == 0:
        yield "fees", "orders pay no fee"
