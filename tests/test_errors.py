"""Errors travel between processes whole, whatever their constructors take."""

import pickle

import pytest

from gateway import errors


def every_error():
    found, left = [], [errors.GatewayError]
    while left:
        kind = left.pop()
        found.append(kind)
        left += kind.__subclasses__()
    return found


def travelling():
    """Every error but the one that holds a future of its own process."""
    return [kind for kind in every_error() if kind.__name__ not in ("CredentialPending", "KeysPending")]


MADE = {
    "TooManyRequests": lambda kind: kind(retry_after_seconds=7),
    "IssuerUnavailable": lambda kind: kind(retry_after_seconds=7),
    "RangeNotSatisfiable": lambda kind: kind(12),
    "StorageUnavailable": lambda kind: kind("away", retry_after_seconds=3).because("SlowDown"),
    "NotACog": lambda kind: kind("no", members={"errors": [1]}).about("an id"),
    "Archived": lambda kind: kind(restoring=True),
    "NoPlace": lambda kind: kind(),
    "PartTooLarge": lambda kind: kind(3, 2),
    "TooBroad": lambda kind: kind(),
}


@pytest.mark.parametrize("kind", travelling(), ids=lambda kind: kind.__name__)
def test_an_error_arrives_as_it_was_raised(kind):
    sent = MADE.get(kind.__name__, lambda kind: kind("a sentence"))(kind)
    came = pickle.loads(pickle.dumps(sent))
    assert type(came) is kind
    assert (came.args, vars(came)) == (sent.args, vars(sent))
    assert str(came) == str(sent)
