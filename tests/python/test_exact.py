"""Numbers go in exactly or not at all, and come out as they went in."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_os.errors import FloatRefused, Inexact, InvalidArgument, OutOfRange
from exchange_os.exact import Scale, plain_text

STEPS = st.sampled_from(["0.1", "0.5", "0.25", "1", "5", "0.00000001", "0.003", "1000"])


@given(step=STEPS, count=st.integers(-(2**100), 2**100))
def test_a_value_of_a_count_gives_the_count_again(step: str, count: int) -> None:
    scale = Scale(Decimal(step), "price", "tick")
    value = scale.value(count)
    assert Fraction(value) == Fraction(step) * count
    assert scale.count(value) == count
    assert scale.count(str(value)) == count


@given(
    step=STEPS,
    value=st.decimals(
        allow_nan=False, allow_infinity=False, places=12, min_value=-(10**20), max_value=10**20
    ),
)
def test_a_value_is_exact_or_refused_never_rounded(step: str, value: Decimal) -> None:
    scale = Scale(Decimal(step), "price", "tick")
    exact = Fraction(value) / Fraction(step)
    if exact.denominator == 1:
        assert scale.count(value) == exact
    else:
        with pytest.raises(Inexact, match="never rounded"):
            scale.count(value)


@given(step=STEPS, value=st.integers(-(2**80), 2**80))
def test_an_integer_is_whole_units(step: str, value: int) -> None:
    scale = Scale(Decimal(step), "price", "tick")
    exact = Fraction(value) / Fraction(step)
    if exact.denominator == 1:
        assert scale.count(value) == exact
    else:
        with pytest.raises(Inexact):
            scale.count(value)


@given(number=st.fractions())
def test_plain_text_says_the_same_number(number: Fraction) -> None:
    assert Fraction(plain_text(number)) == number
    assert "e" not in plain_text(number).lower()


@pytest.mark.parametrize("value", [1.0, 0.1, float("nan"), np.float64(2), np.float32(2)])
def test_a_float_is_refused_with_a_type_error(value: float) -> None:
    scale = Scale(Decimal("0.1"), "price", "tick")
    scale.count(1)
    scale.count(2)
    with pytest.raises(FloatRefused, match="no exact decimal value") as caught:
        scale.count(value)  # type: ignore[arg-type]
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "1_0",
        "nan",
        "inf",
        "0x10",
        "\u0661\u0662",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
    ],
)
def test_what_is_no_number_is_refused(value: str | Decimal) -> None:
    with pytest.raises(InvalidArgument, match=r"no (decimal )?number"):
        Scale(Decimal("0.1"), "price", "tick").count(value)


@pytest.mark.parametrize("value", [True, None, [1], b"1", 1j])
def test_other_types_are_refused_even_if_they_equal_a_known_number(value: object) -> None:
    scale = Scale(Decimal(1), "quantity", "lot")
    scale.count(1)
    with pytest.raises(InvalidArgument, match="expected a Decimal, an int or a text"):
        scale.count(value)  # type: ignore[arg-type]


def test_integers_of_numpy_are_integers() -> None:
    assert Scale(Decimal("0.1"), "price", "tick").count(np.int64(4)) == 40  # type: ignore[arg-type]


def test_far_exponents_cost_nothing() -> None:
    scale = Scale(Decimal("0.1"), "price", "tick")
    with pytest.raises(OutOfRange):
        scale.count(Decimal("1E+999999"))
    with pytest.raises(Inexact):
        scale.count(Decimal("1E-999999"))
    assert scale.count(Decimal("0E-999999")) == 0


def test_the_message_names_value_and_step() -> None:
    with pytest.raises(Inexact) as caught:
        Scale(Decimal("0.1"), "price", "tick").count("50000.05")
    assert str(caught.value) == "the price 50000.05 is finer than the tick 0.1; it is never rounded"
