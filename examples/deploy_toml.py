"""One idea: a market is a file. Deploying it twice changes nothing; a mistake names its line and field."""

from pathlib import Path
from tempfile import TemporaryDirectory

import exchange_os as xos
from exchange_os.markets import lint, load

market = load(Path(__file__).with_name("market.toml"))
for problem in lint(market):
    print(problem)

with TemporaryDirectory() as directory, xos.open(directory) as exchange:
    first = exchange.deploy(market)
    again = exchange.deploy(market)
    print("deployed:", ", ".join(item.symbol for item in first.missing))
    assert len(first.missing) == len(again.standing) == 5
    assert again.missing == []
    for instrument in exchange.instruments():
        print(f"{instrument.number} {instrument.symbol}: {instrument.product}, tick {instrument.tick_size}")

    wrong = Path(directory) / "wrong.toml"
    text = (
        Path(market.file).read_text(encoding="utf-8").replace('lot_size = "0.001"', 'lot_size = "0.000001"')
    )
    wrong.write_text(text, encoding="utf-8")
    try:
        exchange.deploy(wrong)
    except xos.MarketFileError as error:
        print(error)
