"""What errors of libraries come to for a client: one table, read at the door of the work and round a parameter's own.

By name, so that no library is loaded for its errors. What is in no row is a fault of ours: 500, its traceback logged.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rasterio._err import stack_errors

from gateway.errors import BadParameter, CannotBeDrawn, GatewayError, NoPlace, NotFound

Names = frozenset[str]

NO_MEMORY = frozenset({"builtins.MemoryError", "rasterio._err.CPLE_OutOfMemoryError"})
NO_WAY = frozenset({
    "pyproj.exceptions.ProjError", "rasterio.errors.CRSError", "rasterio.errors.TransformError",
    "rasterio.errors.WarpedVRTError", "rasterio.errors.WarpOperationError", "rasterio._err.CPLE_NotSupportedError",
})  # fmt: skip
READING = frozenset({"rasterio.errors.RasterioIOError", "rasterio._err.CPLE_BaseError"})
EXPRESSION = frozenset({"rio_tiler.errors.InvalidExpression"})
GRID = frozenset({"morecantile.errors.MorecantileError"})
LARGE = frozenset({"builtins.OverflowError"})
OTHER = frozenset({"rasterio.errors.RasterioError", "rio_tiler.errors.RioTilerError", "cv2.error"})
# What numpy, numexpr, rio-tiler and OpenCV say of numbers, names and sizes that a step cannot be worked out with.
UNFIT = OTHER | {
    "builtins.ValueError", "builtins.ArithmeticError", "builtins.LookupError", "builtins.TypeError",
    "builtins.AttributeError", "builtins.SyntaxError", "builtins.RuntimeError",
}  # fmt: skip
# OpenCV's number for memory that is not there (opencv2/core/base.hpp, StsNoMem).
CV_NO_MEMORY = -4
NOT_WORKED_OUT = "expression: it cannot be worked out with the bands of this dataset."

# The first row that an error belongs to holds.
ROWS: tuple[tuple[Names, Callable[[], GatewayError]], ...] = (
    (NO_MEMORY, lambda: CannotBeDrawn("It takes more memory than a picture may have.")),
    (NO_WAY, NoPlace),
    (READING, lambda: CannotBeDrawn("A block of this file cannot be decoded.")),
    (EXPRESSION, lambda: BadParameter(NOT_WORKED_OUT)),
    (GRID, lambda: NotFound("The tile matrix set has no such place.")),
    (LARGE, lambda: CannotBeDrawn("Its numbers are larger than can be worked with.")),
    (OTHER, lambda: CannotBeDrawn("That picture cannot be made of this file.")),
)


def meaning(error: BaseException) -> GatewayError | None:
    """Return what an error of a library comes to, None for one that nobody expects."""
    names = NO_MEMORY if _lacks_memory(error) else _names(error)
    return next((made() for kinds, made in ROWS if kinds & names), None)


def _names(error: BaseException) -> Names:
    return frozenset(f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)


def _lacks_memory(error: BaseException) -> bool:
    return bool(NO_MEMORY & _names(error)) or getattr(error, "code", None) == CV_NO_MEMORY


class Translated:
    """A `with` block out of which errors of libraries come as what they mean."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise what an error means; ours and unknown ones pass."""
        if error is not None and not isinstance(error, GatewayError) and (told := self.told(error)) is not None:
            raise told from error

    def told(self, error: BaseException) -> GatewayError | None:
        """Return what an error comes to, None where it passes as it is."""
        return meaning(error)


class Blamed(Translated):
    """A `with` block in which a parameter is to blame for what the libraries cannot work out."""

    def __init__(self, blame: GatewayError) -> None:
        self._blame = blame

    def told(self, error: BaseException) -> GatewayError | None:
        """Return the blame; memory that is not there is not the parameter's."""
        return self._blame if UNFIT & _names(error) and not _lacks_memory(error) else None


def forget_errors() -> None:
    """Clear GDAL's last error of this thread: rasterio takes it for that of a later call, on another dataset."""
    with stack_errors():
        pass
