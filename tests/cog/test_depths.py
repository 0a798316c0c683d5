from gateway.cog.depths import DEPTHS, is_deeper, usual_depth


def test_depths_are_in_their_order_and_a_store_is_looked_at_least():
    assert [is_deeper(one, other) for one, other in zip(DEPTHS[1:], DEPTHS, strict=False)] == [True, True]
    assert not any(is_deeper(one, other) for one, other in zip(DEPTHS, (*DEPTHS[1:], "full"), strict=True))
    assert (usual_depth(remote=False), usual_depth(remote=True)) == ("blocks", "header")
