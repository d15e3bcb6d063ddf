"""`xos lint`: what is wrong, or suspicious, with a market file, and what it loses under attack."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exchange_os.cli._say import REFUSED, json_option, say_json
from exchange_os.errors import MarketFileError

if TYPE_CHECKING:
    from exchange_os.markets import Problem
    from exchange_os.markets.stress import Stress


class _Amount(click.ParamType[Decimal]):
    name = "amount"

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        is_foreign = isinstance(value, str) and not value.isascii()
        if is_foreign or not amount.is_finite() or amount < 0 or amount.adjusted() > 20:
            self.fail(f"{value} is no amount from 0 to 10^20", param, ctx)
        return amount


_AMOUNT = _Amount()


@click.command(name="lint")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stress/--no-stress", default=True, help="Attack each perpetual in memory; on by default.")
@click.option("--price", type=_AMOUNT, help="Price at which it begins; a tenth of price_max unless said.")
@click.option(
    "--depth", type=_AMOUNT, help="Value of others' orders within 2 % a side; notional_max unless said."
)
@click.option(
    "--open-interest",
    type=_AMOUNT,
    help="Value of the positions of a side; where scaling ends, or 20 times notional_max, unless said.",
)
@click.option("--tranche", type=_AMOUNT, help="What the liquidity tranche has; its notional_max unless said.")
@click.option("--bond", type=_AMOUNT, help="What the deployer stakes; a warning says if it is too little.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    file: Path,
    stress: bool,
    price: Decimal | None,
    depth: Decimal | None,
    open_interest: Decimal | None,
    tranche: Decimal | None,
    bond: Decimal | None,
    as_json: bool,
) -> None:
    """Check a market FILE: form, contradictions, bounds, what looks like a mistake; then attack it.

    The attacks play on the engine, on each perpetual: price gaps, a self-traded squeeze, a mark moved by the
    book alone. What others than the attacker lose in the worst of them is what a bond has to cover.
    """
    from exchange_os.markets import Problem, lint, load
    from exchange_os.markets.stress import Assumptions
    from exchange_os.markets.stress import stress as play

    stressed: Stress | None = None
    try:
        loaded = load(file)
        problems = lint(loaded)
        if stress and not any(problem.severity == "error" for problem in problems):
            stressed = play(loaded, Assumptions(price, depth, open_interest, tranche, bond))
            problems = sorted([*problems, *stressed.problems], key=lambda problem: problem.line)
    except MarketFileError as error:
        problems = [problem for problem in error.problems if isinstance(problem, Problem)]
        if not problems:
            raise
    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        say_json(_as_object(file, problems, stressed))
    else:
        for problem in problems:
            click.echo(f"{problem.severity}: {problem}")
        if stressed is not None and stressed.attacks:
            _say_stress(stressed)
        click.echo(f"{file}: {_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}")
    if errors:
        ctx.exit(REFUSED)


def _as_object(file: Path, problems: list[Problem], stressed: Stress | None) -> dict[str, object]:
    fields = ("severity", "file", "line", "field", "message")
    errors = sum(problem.severity == "error" for problem in problems)
    said: dict[str, object] = {
        "file": str(file),
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [{name: getattr(problem, name) for name in fields} for problem in problems],
    }
    if stressed is not None:
        from dataclasses import asdict

        said["bond"] = stressed.bond
        said["assumptions"] = {symbol: asdict(taken) for symbol, taken in stressed.taken.items()}
        said["attacks"] = [
            {**asdict(attack), "lost_by_others": attack.lost_by_others} for attack in stressed.attacks
        ]
    return said


def _say_stress(stressed: Stress) -> None:
    width = max(len(attack.name) for attack in stressed.attacks)
    for symbol, taken in stressed.taken.items():
        click.echo(
            f"{symbol} under attack: price {_short(taken.price)}, positions of"
            f" {_short(taken.open_interest)} a side at the highest leverage, depth {_short(taken.depth)}"
        )
        click.echo(f"  {'':{width}}  {'tranche':>12}  {'insurance':>12}  {'others':>12}  {'attacker':>12}")
        for attack in stressed.attacks:
            if attack.instrument == symbol:
                gained = "" if attack.attacker_gained is None else f"{attack.attacker_gained:+,.0f}"
                lost = (-attack.tranche_lost, -attack.insurance_paid, -attack.haircuts - attack.debts)
                columns = "  ".join(f"{amount or 0:12,.0f}" for amount in lost)
                click.echo(f"  {attack.name:{width}}  {columns}  {gained:>12}")
    click.echo(f"a bond has to cover {_short(stressed.bond)}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _short(amount: Decimal) -> str:
    return f"{amount.normalize():,f}"
