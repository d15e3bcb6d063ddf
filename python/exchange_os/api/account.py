"""Private endpoints about an account: balance, positions, settings, fees, what it may trade."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange_os.api.codes import Refused, Row
from exchange_os.api.desk import KNOWN_TYPES, TYPES, Desk
from exchange_os.api.keys import Key, now_ms
from exchange_os.api.numbers import blank, choice, decimal_of, ms, size, text, word
from exchange_os.api.orders import accounts
from exchange_os.results import Instrument, Position, RiskSummary

Fields = Mapping[str, Any]

_PPM = Decimal(1_000_000)
_ASSETS_MAX = 20
_NOTHING = Decimal(0)
_SHOWN = Decimal("0.00000001")

_DETAIL_EMPTY = (
    "accAvgPx borrowFroz clSpotInUseAmt crossLiab fixedBal interest isoEq isoLiab isoUpl liab maxLoan "
    "maxSpotInUseAmt notionalLever openAvgPx rewardBal smtSyncEq spotBal spotCopyTradingEq spotInUseAmt "
    "spotIsoBal spotUpl spotUplRatio stgyEq totalPnl totalPnlRatio twap uplLiab coinUsdPrice colRes "
    "colBorrAutoConversion autoLendStatus autoLendMtAmt frpType imr mmr mgnRatio disEq eqUsd"
)
_POSITION_EMPTY = (
    "baseBal baseBorrowed baseInterest bizRefId bizRefType bePx clSpotInUseAmt deltaBS deltaPA gammaBS "
    "gammaPA thetaBS thetaPA vegaBS vegaPA fee fundingFee idxPx interest liab liabCcy liqPenalty "
    "maxSpotInUseAmt nonSettleAvgPx optVal pendingCloseOrdLiabVal posCcy quoteBal quoteBorrowed "
    "quoteInterest settledPnl spotInUseAmt spotInUseCcy tradeId uplLastPx uplRatioLastPx usdPx adl pnl "
    "cTime"
)


def config(desk: Desk, key: Key, _fields: Fields) -> list[Row]:
    perm = ",".join(
        {"read": "read_only"}.get(scope, scope)
        for scope in ("read", "trade", "withdraw")
        if scope in key.scopes
    )
    empty = "levelTmp spotOffsetType liquidationGear settleCcy kycLv opAuth"
    return [
        {
            **blank(empty),
            "uid": str(key.account),
            "mainUid": str(key.account),
            "acctLv": "3",
            "posMode": "net_mode",
            "autoLoan": False,
            "greeksType": "PA",
            "level": "Lv1",
            "ctIsoMode": "automatic",
            "mgnIsoMode": "automatic",
            "label": key.label,
            "roleType": "0",
            "traderInsts": [],
            "spotRoleType": "0",
            "spotTraderInsts": [],
            "ip": ",".join(sorted(key.addresses)),
            "perm": perm,
            "enableSpotBorrow": False,
            "spotBorrowAutoRepay": False,
            "acctStpMode": "cancel_maker",
            "type": "0",
            "feeType": "0",
            "settleCcyList": [desk.exchange.assets[0]],
        }
    ]


def balance(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Equity and free money. The settlement asset answers for the margin; others for what orders hold."""
    wanted = symbols_of(fields)
    risk, moment = desk.exchange.risk(key.account), str(now_ms())
    upl = sum((each.unrealised for each in desk.exchange.positions(key.account)), _NOTHING)
    details = []
    for each in desk.exchange.balances(key.account):
        if wanted and each.asset not in wanted:
            continue
        settles = each.asset == risk.asset
        equity = each.total + upl if settles else each.total
        free = max(_NOTHING, min(risk.headroom, equity)) if settles else each.free
        cash_free = min(free, each.total)
        details.append(
            {
                **blank(_DETAIL_EMPTY),
                "ccy": each.asset,
                "cashBal": text(each.total),
                "eq": text(equity),
                "availEq": text(free),
                "availBal": text(cash_free),
                "frozenBal": text(equity - free),
                "ordFrozen": text(each.held),
                "upl": text(upl) if settles else "0",
                "collateralEnabled": False,
                "collateralRestrict": False,
                "uTime": moment,
            }
        )
    empty = (
        "borrowFroz isoEq notionalUsd notionalUsdForBorrow notionalUsdForFutures notionalUsdForOption "
        "notionalUsdForSwap delta deltaLever deltaNeutralStatus"
    )
    whole: Row = blank(empty)
    whole |= {
        "adjEq": text(risk.equity),
        "availEq": text(max(_NOTHING, risk.headroom)),
        "totalEq": text(risk.equity),
    }
    whole |= {
        "imr": text(risk.initial_margin),
        "mmr": text(risk.maintenance_margin),
        "mgnRatio": _ratio(risk),
    }
    whole |= {"ordFroz": text(risk.order_reserves), "upl": text(upl), "uTime": moment, "details": details}
    return [whole]


def positions(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Positions of perpetuals and outcomes; a flat one only where it is asked for by instId."""
    kind, name = word(fields, "instType", "ANY"), word(fields, "instId", "")
    wanted = set(filter(None, name.split(",")))
    rows = []
    for account in accounts(desk, key):
        risk, mode = desk.exchange.risk(account), "cross" if account == key.account else "isolated"
        for each in desk.exchange.positions(account):
            instrument = desk.exchange.instrument(each.instrument)
            product = TYPES[instrument.product]
            asked = each.instrument in wanted if wanted else bool(each.qty)
            if product != "SPOT" and kind in {"ANY", product} and asked:
                rows.append(position_row(desk, instrument, each, risk, mode))
    return rows


def position_row(desk: Desk, instrument: Instrument, each: Position, risk: RiskSummary, mode: str) -> Row:
    row: Row = blank(_POSITION_EMPTY)
    row |= {
        "instType": TYPES[instrument.product],
        "instId": instrument.symbol,
        "mgnMode": mode,
        "posSide": "net",
    }
    row |= {"posId": str(10**18 + each.account * 10**6 + instrument.number), "ccy": instrument.quote}
    row |= {"closeOrderAlgo": [], "uTime": ms(desk.exchange.time_ns), "realizedPnl": text(each.realised)}
    numbers = "avgPx upl uplRatio last markPx notionalUsd imr mmr liqPx margin mgnRatio lever availPos"
    row |= {"pos": size(instrument, each.qty), **blank(numbers)}
    if not each.qty:
        return row
    held, mark = abs(each.qty), instrument.mark_price
    notional = held * mark if mark is not None else None
    cost = abs(each.cost)
    initial = None
    if notional is not None and instrument.product == "perpetual":
        initial = (notional * desk.terms(instrument)["initial_margin_ppm"] / _PPM).quantize(_SHOWN)
        row |= {"lever": str(1_000_000 // desk.terms(instrument)["initial_margin_ppm"])}
    row |= {
        "avgPx": text((cost / held).quantize(_SHOWN)),
        "upl": text(each.unrealised),
        "mgnRatio": _ratio(risk),
    }
    row |= {"uplRatio": text((each.unrealised / initial).quantize(_SHOWN)) if initial else ""}
    row |= {"last": text(instrument.last_price), "markPx": text(mark), "notionalUsd": text(notional)}
    row |= {"imr": text(initial) if mode == "cross" else "", "mmr": text(each.maintenance_margin)}
    row |= {"liqPx": text(each.liquidation_price), "availPos": size(instrument, each.qty)}
    row |= {"margin": text(risk.equity - each.unrealised) if mode == "isolated" else ""}
    return row


def leverage_info(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """The highest leverage that the instrument grants, unless a lower one was chosen here."""
    mode = choice(fields, "mgnMode", ("cross", "isolated"))
    rows = []
    for name in word(fields, "instId").split(","):
        each = desk.exchange.instrument(name)
        if each.product != "perpetual":
            raise Refused("51000", f"Parameter instId error: {name[:40]!r} has no leverage.")
        most = 1_000_000 // desk.terms(each)["initial_margin_ppm"]
        lever = desk.leverage.get((key.account, each.number, mode), most)
        rows.append(
            {"ccy": "", "instId": each.symbol, "mgnMode": mode, "posSide": "net", "lever": str(lever)}
        )
    return rows


def set_leverage(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """Whole numbers of leverage, of the account or of its isolated account on the instrument."""
    mode, each = choice(fields, "mgnMode", ("cross", "isolated")), desk.instrument(fields)
    desk.limits.check(key, "set", fields)
    lever = decimal_of("lever", word(fields, "lever"))
    if lever != int(lever):
        raise Refused("51000", f"Parameter lever error: {text(lever)}, expected a whole number.")
    account = key.account
    if mode == "isolated":
        found = desk.exchange.isolated_accounts(account).get(each.symbol)
        account = desk.exchange.open_isolated(account, each.symbol) if found is None else found
    desk.exchange.set_leverage(account, each.symbol, int(lever))
    desk.leverage[key.account, each.number, mode] = int(lever)
    return [{"lever": str(int(lever)), "mgnMode": mode, "instId": each.symbol, "posSide": "net"}]


def set_position_mode(_desk: Desk, _key: Key, fields: Fields) -> list[Row]:
    """Positions are net; asking for that is granted."""
    if choice(fields, "posMode", ("net_mode", "long_short_mode")) != "net_mode":
        raise Refused("51010", "There is one position on each instrument: only net_mode is possible.")
    return [{"posMode": "net_mode"}]


def trade_fee(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What the engine charges the account of the key, caps and tiers counted; negative is paid.

    With an instId its own fees; of a type the worst of its instruments. Orders of this interface come through
    no venue of their own.
    """
    kind = choice(fields, "instType", KNOWN_TYPES)
    found = [desk.exchange.fee_rates(key.account, 0, each.symbol) for each in desk.instruments(fields)]
    if not found:
        return []
    maker = text(-max(Decimal(rates.maker_ppm) for rates in found) / _PPM)
    taker = text(-max(Decimal(rates.taker_ppm) for rates in found) / _PPM)
    empty = "category delivery exercise makerUSDC takerUSDC settle"
    return [
        {
            **blank(empty),
            "feeGroup": [],
            "fiat": [],
            "instType": kind,
            "level": f"Lv{1 + min(rates.tier for rates in found)}",
            "maker": maker,
            "taker": taker,
            "makerU": maker,
            "takerU": taker,
            "ruleType": "normal",
            "ts": str(now_ms()),
        }
    ]


def max_available(desk: Desk, key: Key, fields: Fields) -> list[Row]:
    """What can be spent on each side: quote to buy, base to sell; of the rest the free margin."""
    rows = []
    for name in word(fields, "instId").split(","):
        each = desk.exchange.instrument(name)
        headroom = max(_NOTHING, desk.exchange.risk(key.account).headroom)
        buy = sell = headroom
        if each.base is not None:
            buy, sell = (desk.exchange.balance(key.account, asset).free for asset in (each.quote, each.base))
        rows.append({"instId": each.symbol, "availBuy": text(buy), "availSell": text(sell)})
    return rows


def account_instruments(desk: Desk, _key: Key, fields: Fields) -> list[Row]:
    from exchange_os.api.market import instruments

    return instruments(desk, fields)


def _ratio(risk: RiskSummary) -> str:
    ratio = risk.margin_ratio
    return "" if ratio is None else text(ratio.quantize(_SHOWN))


def symbols_of(fields: Fields) -> list[str]:
    """The currencies of a list with commas; none: all of them."""
    found = [each for each in word(fields, "ccy", "").split(",") if each]
    if len(found) > _ASSETS_MAX:
        raise Refused("51000", f"Parameter ccy error: {len(found)} currencies; the most is {_ASSETS_MAX}.")
    return found
