import pytest

from gateway.errors import NotFound
from gateway.tiles.zooms import zoom_of_box

WEB = "WebMercatorQuad"


@pytest.mark.parametrize(
    ("box", "grid", "zoom"),
    [
        ((-180, -90, 180, 90), WEB, 0),
        ((0, 0, 90, 60), WEB, 2),
        ((0, 0, 90.1, 60), WEB, 1),
        ((135, 0, -135, 60), WEB, 2),
        ((0, 0, 0, 0), WEB, 24),
        ((14, 47, 16, 48), "WorldCRS84Quad", 6),
        # The pole lies inside: there are no bounds.
        ((-180, 50, 180, 90), "EuropeanETRS89_LAEAQuad", 0),
    ],
)
def test_the_finest_level_is_that_at_which_a_box_is_no_larger_than_a_tile(box, grid, zoom):
    found, least, most = zoom_of_box(box, grid)
    assert (found, least) == (zoom, 0)
    assert most >= found


def test_an_unknown_grid_is_not_found():
    with pytest.raises(NotFound):
        zoom_of_box((0, 0, 1, 1), "none")
