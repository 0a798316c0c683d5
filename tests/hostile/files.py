"""Every hostile or odd file by its name: a function that makes its bytes, given the canary that it may name."""

from collections.abc import Callable

from tests.hostile.canary import Canary
from tests.hostile.documents import DOCUMENTS
from tests.hostile.references import HARMLESS, REFERENCES
from tests.hostile.structures import ODD, STRUCTURES

Maker = Callable[[Canary], bytes]

REFUSED: dict[str, Maker] = {
    **{f"document-{name}": make for name, make in DOCUMENTS.items()},
    **{f"reference-{name}": make for name, make in REFERENCES.items()},
    **{f"structure-{name}": make for name, make in STRUCTURES.items()},
}
ACCEPTED: dict[str, Maker] = {
    **{f"harmless-{name}": make for name, make in HARMLESS.items()},
    **{f"odd-{name}": make for name, make in ODD.items()},
}
SIDECARS = (".ovr", ".msk", ".aux.xml", ".aux", ".vrt", ".IMD", ".RPB", "_rpc.txt", ".xml")
SIDECARS_BY_STEM = (".tfw", ".wld", ".RPB", ".IMD", ".aux", ".vrt", ".ovr", "_RPC.TXT", ".pvl")
