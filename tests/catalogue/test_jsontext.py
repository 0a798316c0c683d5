import pytest

from gateway.catalogue.jsontext import is_deeper, is_number, require_unicode, value_of


def test_values_are_those_of_the_text():
    assert value_of('{"a": [1, -0.5, 1e308, "\\ud83d\\ude00"]}') == {"a": [1, -0.5, 1e308, "\U0001f600"]}
    assert value_of('\ufeff{"ä": null}'.encode()) == {"ä": None}


@pytest.mark.parametrize(
    "text",
    ["NaN", "[-Infinity]", "1e400", "1" + "0" * 309, "1" * 5000, b'"\xed\xa0\x80"',
     b'"\xff"', "{", "1".encode("utf-16"), "[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65],
)  # fmt: skip
def test_what_could_not_be_written_again_is_refused(text):
    with pytest.raises(ValueError):
        value_of(text)


def test_as_deep_as_all_that_reads_it_later_goes():
    assert value_of("[" * 64 + "]" * 64)
    assert is_deeper([[]], 1)
    assert not is_deeper([{"a": 1}], 2)
    assert not is_deeper(1, 0)


def test_numbers_are_those_that_a_float_holds():
    assert all(map(is_number, (0, -1.5, 2**1023)))
    assert not any(map(is_number, (True, "1", None, float("nan"), float("inf"), 10**400)))


def test_texts_are_those_that_can_be_written():
    require_unicode({"ä": ["\U0001f600", "\0"]})
    for value in ("\ud800", {"\udfff": 1}, [{"a": ["\ude00\ud83d"]}]):
        with pytest.raises(ValueError, match="Unicode"):
            require_unicode(value)
