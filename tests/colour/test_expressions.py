"""Expressions are judged before anything is read, and none of them keeps a thread busy."""

import numpy as np
import pytest
from rio_tiler.expression import apply_expression, get_expression_blocks, validate_expression

from gateway.colour.expressions import checked
from gateway.errors import BadParameter

GOOD = (
    "b1", "(b1-b2)/(b1+b2)", "b1/b2;b2+b1", "where(b1>5,1,0)", "sqrt(b1**2+b2**2)", "10**(b1/10)", "b1*2**8", "~b1",
    "b1&1|b2", "B1+b2", "-b1", "b1<b2", "b1*(2.5e-3)", "b1%7", "b1+9/(3-3.5)", "maximum(b1,0)",
)  # fmt: skip
BAD = (
    "", ";", "b1+", "1", "b1+x", "b1.real", "b1[0]", "lambda: b1", "'b1'", "b1 if b1 else 1", "(b1,b2)", "b1 and b2",
    "f(b1)(b2)", "open('x')+b1", "b1+9**9**9", "b1*9**99999999", "b1**(9**9**9)", "b1+(2**61)*(2**61)", "(" * 300 + "b1",
    "b1+" + "9" * 400, "b1;" * 17 + "b1", "b1+1" * 200, "b1+True", "b1+1j", "b1 := 3", "b1+-(9**9**9)",
    "b1+(0-9)**(9**9)",
)  # fmt: skip


@pytest.mark.parametrize("expression", GOOD)
def test_what_is_good_rio_tiler_works_out(expression):
    assert checked(expression) == expression
    validate_expression(expression)
    bands = np.arange(2 * 16, dtype=np.uint16).reshape(2, 4, 4)
    assert apply_expression(get_expression_blocks(expression), ["b1", "b2"], bands).shape[1:] == (4, 4)


@pytest.mark.parametrize("expression", BAD)
def test_what_is_bad_is_refused_by_name(expression):
    with pytest.raises(BadParameter, match="expression"):
        checked(expression)


def test_a_power_of_powers_is_refused_where_rio_tiler_alone_would_work_for_ever():
    validate_expression("b1+9**9**9")
    with pytest.raises(BadParameter, match="too large"):
        checked("b1+9**9**9")
