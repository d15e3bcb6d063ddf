"""NautilusTrader and its OKX adapter: its own ExecTester opens a position, quotes, sets stops and leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import nautilus_trader
from nautilus_trader.adapters.okx import OKX, OKXDataClientConfig, OKXExecClientConfig
from nautilus_trader.adapters.okx.factories import OKXLiveDataClientFactory, OKXLiveExecClientFactory
from nautilus_trader.config import InstrumentProviderConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.core.nautilus_pyo3 import OKXInstrumentType, OKXMarginMode
from nautilus_trader.live.config import LiveExecEngineConfig, LiveRiskEngineConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.test_kit.strategies.tester_exec import ExecTester, ExecTesterConfig
from reporting import Report, given

_TRADED = "ETH-USD-SWAP.OKX"
_RUNS_S, _LEAVES_S = 25, 10
_WANTED = ("OrderAccepted", "OrderFilled", "OrderCanceled", "PositionOpened", "PositionClosed")


def configured() -> TradingNodeConfig:
    said = given()
    shared: dict[str, Any] = {
        "api_key": said["key"],
        "api_secret": said["secret"],
        "api_passphrase": said["passphrase"],
        "base_url_http": said["rest"],
        "instrument_types": (OKXInstrumentType.SWAP,),
        "instrument_provider": InstrumentProviderConfig(load_all=True),
    }
    return TradingNodeConfig(
        trader_id="TESTER-001",
        logging=LoggingConfig(log_level="WARNING", bypass_logging=False),
        exec_engine=LiveExecEngineConfig(reconciliation=True),
        risk_engine=LiveRiskEngineConfig(bypass=True),
        data_clients={OKX: OKXDataClientConfig(**shared, base_url_ws=f"{said['ws']}/public")},
        exec_clients={
            OKX: OKXExecClientConfig(
                **shared, base_url_ws=f"{said['ws']}/private", margin_mode=OKXMarginMode.CROSS
            )
        },
        timeout_connection=30.0,
        timeout_disconnection=5.0,
    )


def tester() -> ExecTester:
    return ExecTester(
        ExecTesterConfig(
            instrument_id=InstrumentId.from_str(_TRADED),
            order_qty=Decimal(50),
            open_position_on_start_qty=Decimal(100),
            enable_stop_buys=True,
            enable_stop_sells=True,
            tob_offset_ticks=2_000,
            stop_offset_ticks=5_000,
            use_post_only=True,
            use_uuid_client_order_ids=True,
            use_hyphens_in_client_order_ids=False,
            log_data=False,
        )
    )


async def trade(node: TradingNode) -> Counter[str]:
    """What the trader heard, by kind of event."""
    heard: Counter[str] = Counter()
    node.kernel.msgbus.subscribe("events.*", lambda event: heard.update([type(event).__name__]))
    running = asyncio.create_task(node.run_async())
    await asyncio.sleep(_RUNS_S)
    node.trader.stop()
    await asyncio.sleep(_LEAVES_S)
    await node.stop_async()
    running.cancel()
    return heard


def main() -> None:
    report = Report("nautilus_trader (OKX adapter)", nautilus_trader.__version__)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    node = TradingNode(config=configured(), loop=loop)
    node.trader.add_strategy(tester())
    node.add_data_client_factory(OKX, OKXLiveDataClientFactory)
    node.add_exec_client_factory(OKX, OKXLiveExecClientFactory)
    node.build()
    heard = loop.run_until_complete(trade(node))
    with report.step("data and execution clients connect, reconcile; ExecTester: position, quotes, stops"):
        missing = [name for name in _WANTED if not heard[name]]
        assert not missing, f"{missing} missing in {dict(heard)}"
    with report.step("nothing is rejected, all orders leave at the end"):
        wrong = [name for name in heard if "Rejected" in name or "Denied" in name]
        assert not wrong, dict(heard)
        assert not node.cache.orders_open(), node.cache.orders_open()
    report.end()


main()
