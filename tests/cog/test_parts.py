from gateway.cog.parts import PartTooLarge


def test_a_part_that_is_too_large_tells_how_large_it_may_be():
    error = PartTooLarge(3 << 19, 1 << 20, "Ask again.")
    assert str(error) == "The part has 1.5 MiB of decoded values; the limit is 1 MiB. Ask again."
    assert (error.status, error.members) == (413, {"asked_bytes": 3 << 19, "limit_bytes": 1 << 20})
