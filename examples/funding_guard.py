"""One idea: a funding rate implies a premium, so a rate that was read in a wrong unit gives itself away."""

from exchange_os.signals.carry import breakeven_intervals
from exchange_os.signals.guard import check_funding
from exchange_os.signals.rates import BasisPoints, FundingKind, FundingRate

BASIS = BasisPoints(-4.2)
FOUR_FILLS = BasisPoints(20)

# The same digits, once as percent and once as a hundredth of it.
for fraction in (0.003793, 0.00003793):
    rate = FundingRate(fraction=fraction, interval_s=8 * 3_600, kind=FundingKind.ESTIMATED)
    verdict = check_funding(rate, BASIS)
    payments = breakeven_intervals(rate, FOUR_FILLS, BASIS)
    assert payments is not None
    print(f"{rate}: {verdict.reason}, {verdict.gap.value:.1f} bps from what {BASIS.value} bps allows")
    print(f"  costs are earned back after {payments:.1f} payments, if it stays")

assert not check_funding(FundingRate(fraction=0.003793, interval_s=28_800, kind=rate.kind), BASIS).passed
assert verdict.passed

# A basis has no time in it: adding it to a rate a year is refused.
try:
    rate.per_year() + BASIS  # type: ignore[operator]
except TypeError as error:
    print(error)
else:
    raise AssertionError("two units were added")
