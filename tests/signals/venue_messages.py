"""Answers of venues in their own form, and a ccxt client that gives them instead of asking the network.

The Bybit ticker carries the values recorded on 2026-08-09; the others the forms that the venues document,
with ordinary values. ccxt parses them as it parses live ones.
"""

from __future__ import annotations

import json
from typing import Any

NOW_MS = 1_786_310_818_974
HOUR_MS = NOW_MS // 3_600_000 * 3_600_000
"""The full hour before."""

BINANCE = {
    "fapi/v1/fundingInfo": [
        {
            "symbol": "ETHUSDT",
            "adjustedFundingRateCap": "0.00375",
            "adjustedFundingRateFloor": "-0.00375",
            "fundingIntervalHours": 4,
        }
    ],
    "fapi/v1/premiumIndex": {
        "symbol": "ETHUSDT",
        "markPrice": "1922.43000000",
        "indexPrice": "1923.16000000",
        "lastFundingRate": "0.00003793",
        "interestRate": "0.00010000",
        "nextFundingTime": 1_786_320_000_000,
        "time": NOW_MS - 500,
    },
    "fapi/v1/openInterest": {"symbol": "ETHUSDT", "openInterest": "1500000.5", "time": NOW_MS - 700},
    "fapi/v1/depth": {
        "lastUpdateId": 1,
        "E": NOW_MS - 100,
        "T": NOW_MS - 100,
        "bids": [["1922.40", "5.0"]],
        "asks": [["1922.50", "4.0"]],
    },
    "fapi/v1/klines": [
        [
            HOUR_MS - 3_600_000,
            "1919",
            "1925",
            "1918",
            "1922",
            "1000",
            0,
            "0",
            0,
            "0",
            "0",
            "0",
        ],
        [HOUR_MS, "1922", "1923", "1921", "1922.5", "400", 0, "0", 0, "0", "0"],
    ],
    "fapi/v1/fundingRate": [
        {
            "symbol": "ETHUSDT",
            "fundingTime": 1_786_291_200_003,
            "fundingRate": "0.00010000",
            "markPrice": "1900",
        },
        {
            "symbol": "ETHUSDT",
            "fundingTime": 1_786_305_600_000,
            "fundingRate": "0.00009000",
            "markPrice": "1910",
        },
    ],
}

BYBIT_TICKER = {
    "symbol": "ETHUSDT",
    "bid1Price": "1922.47",
    "ask1Price": "1922.48",
    "lastPrice": "1922.48",
    "prevPrice1h": "1919.00",
    "markPrice": "1922.43",
    "indexPrice": "1923.16",
    "openInterest": "830090.65",
    "singleOpenInterest": "415045.33",
    "fundingRate": "0.00004617",
    "fundingIntervalHour": "8",
    "fundingCap": "0.005",
    "nextFundingTime": "1786320000000",
    "volume24h": "2000000",
    "turnover24h": "3840000000",
}
BYBIT = {
    "v5/market/tickers": {
        "retCode": 0,
        "result": {"category": "linear", "list": [BYBIT_TICKER]},
        "time": NOW_MS,
    },
    "v5/market/risk-limit": {
        "retCode": 0,
        "result": {
            "category": "linear",
            "list": [
                {
                    "id": 1,
                    "symbol": "ETHUSDT",
                    "riskLimitValue": "900000",
                    "maintenanceMargin": "0.005",
                    "maxLeverage": "100.00",
                },
                {
                    "id": 2,
                    "symbol": "ETHUSDT",
                    "riskLimitValue": "1800000",
                    "maintenanceMargin": "0.01",
                    "maxLeverage": "50.00",
                },
            ],
        },
        "time": NOW_MS,
    },
    "v5/market/open-interest": {
        "retCode": 0,
        "result": {
            "symbol": "ETHUSDT",
            "category": "linear",
            "list": [{"openInterest": "830090.65", "timestamp": str(NOW_MS - 60_000)}],
            "nextPageCursor": "",
        },
        "time": NOW_MS,
    },
}

OKX = {
    "public/funding-rate": {
        "code": "0",
        "data": [
            {
                "fundingRate": "0.000024",
                "fundingTime": "1786320000000",
                "instId": "ETH-USDT-SWAP",
                "instType": "SWAP",
                "maxFundingRate": "0.00375",
                "minFundingRate": "-0.00375",
                "nextFundingRate": "",
                "nextFundingTime": "1786334400000",
                "premium": "-0.00002",
                "ts": str(NOW_MS - 900),
            }
        ],
    },
    "public/open-interest": {
        "code": "0",
        "data": [
            {
                "instId": "ETH-USDT-SWAP",
                "instType": "SWAP",
                "oi": "5000000",
                "oiCcy": "500000",
                "oiUsd": "961000000",
                "ts": str(NOW_MS - 800),
            }
        ],
    },
    "market/ticker": {
        "code": "0",
        "data": [
            {
                "instId": "ETH-USDT-SWAP",
                "instType": "SWAP",
                "bidPx": "1922.5",
                "askPx": "1922.6",
                "last": "1922.55",
                "vol24h": "12000000",
                "volCcy24h": "1200000",
                "ts": str(NOW_MS - 300),
            }
        ],
    },
    "public/mark-price": {
        "code": "0",
        "data": [
            {"instId": "ETH-USDT-SWAP", "instType": "SWAP", "markPx": "1922.43", "ts": str(NOW_MS - 300)}
        ],
    },
    "market/index-tickers": {
        "code": "0",
        "data": [{"instId": "ETH-USDT", "idxPx": "1923.16", "ts": str(NOW_MS - 300)}],
    },
    "market/books": {
        "code": "0",
        "data": [
            {
                "asks": [["1922.6", "40", "0", "3"]],
                "bids": [["1922.5", "60", "0", "2"]],
                "ts": str(NOW_MS - 200),
            }
        ],
    },
    "candles": {
        "code": "0",
        "data": [
            [
                str(HOUR_MS),
                "1922",
                "1923",
                "1921",
                "1922.5",
                "4000",
                "400",
                "768900",
                "0",
            ],
            [
                str(HOUR_MS - 3_600_000),
                "1919",
                "1925",
                "1918",
                "1922",
                "10000",
                "1000",
                "1922000",
                "1",
            ],
        ],
    },
}

HYPERLIQUID = {
    "info": [
        {"universe": [{"maxLeverage": 25, "name": "ETH", "onlyIsolated": False, "szDecimals": 4}]},
        [
            {
                "dayNtlVlm": "1709813.11",
                "funding": "0.0000125",
                "impactPxs": ["1922.3", "1922.6"],
                "markPx": "1922.4",
                "midPx": "1922.45",
                "openInterest": "671000.5",
                "oraclePx": "1922.9",
                "premium": "-0.00026",
                "prevDayPx": "1900.0",
            }
        ],
    ]
}

GATE = {
    "candlesticks": [
        {"t": HOUR_MS // 1_000 - 3_600, "v": 100_000, "c": "1922", "h": "1925", "l": "1918", "o": "1919"},
        {"t": HOUR_MS // 1_000, "v": 40_000, "c": "1922.5", "h": "1923", "l": "1921", "o": "1922"},
    ]
}

VENUES: dict[str, tuple[dict[str, Any], str, float]] = {
    "binanceusdm": (BINANCE, "ETH/USDT:USDT", 1.0),
    "bybit": (BYBIT, "ETH/USDT:USDT", 1.0),
    "okx": (OKX, "ETH/USDT:USDT", 0.1),
    "gate": (GATE, "ETH/USDT:USDT", 0.01),
    "hyperliquid": (HYPERLIQUID, "ETH/USDC:USDC", 1.0),
}


def client_of(venue: str, **more: Any) -> Any:
    """A ccxt exchange that finds its answers here. An address without an answer, or with None, fails."""
    import ccxt

    answers, symbol, size = VENUES[venue]
    found = {**answers, **more}
    client = getattr(ccxt, venue)()
    base, _, rest = symbol.partition("/")
    quote = rest.partition(":")[0]
    forms = {"okx": f"{base}-{quote}-SWAP", "gate": f"{base}_{quote}", "hyperliquid": "1"}
    market_id = forms.get(venue, f"{base}{quote}")
    client.set_markets(
        [
            {
                "id": market_id,
                "lowercaseId": market_id.lower(),
                "symbol": symbol,
                "base": base,
                "quote": quote,
                "settle": quote,
                "baseId": base,
                "quoteId": quote,
                "settleId": quote,
                "type": "swap",
                "spot": False,
                "swap": True,
                "future": False,
                "option": False,
                "contract": True,
                "linear": True,
                "inverse": False,
                "active": True,
                "contractSize": size,
                "precision": {"amount": 0.001, "price": 0.01},
                "limits": {},
                "info": {"uly": f"{base}-{quote}"} if venue == "okx" else {},
            }
        ]
    )

    def fetch(url: str, *_: Any, **__: Any) -> Any:
        address = url.partition("?")[0]
        path = next((path for path in found if address.endswith(path)), None)
        if path is None or found[path] is None:
            raise ccxt.NetworkError(f"no answer for {url}")
        return json.loads(json.dumps(found[path]))

    client.fetch = fetch
    client.enableRateLimit = False
    return client
