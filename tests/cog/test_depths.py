from gateway.cog.depths import DEPTHS, is_deeper, reaches, usual_depth


def test_depths_are_in_their_order_and_a_store_is_looked_at_least():
    assert [is_deeper(one, other) for one, other in zip(DEPTHS[1:], DEPTHS, strict=False)] == [True, True]
    assert not any(is_deeper(one, other) for one, other in zip(DEPTHS, (*DEPTHS[1:], "full"), strict=True))
    assert (usual_depth(remote=False), usual_depth(remote=True)) == ("blocks", "header")


def test_a_look_reaches_what_is_no_deeper_and_none_reaches_nothing_in_particular():
    assert [[reaches(depth, wanted) for wanted in (None, *DEPTHS)] for depth in (None, *DEPTHS)] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
