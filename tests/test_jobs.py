"""What a job is made of, and for whom it is counted."""

from datetime import UTC, datetime

import pytest

from gateway.cog.parts import Part, PlannedPart
from gateway.jobs import WantedPart, job_of
from gateway.model import Principal
from tests.records.conftest import dataset

ANONYMOUS = Principal()


def counted_for(maker, ip):
    wanted = WantedPart(dataset(1), PlannedPart(Part(0, 0, 1, 1, (1,)), 1), {})
    return job_of(wanted, maker, ip, "w", datetime.now(UTC)).counted_for


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ((ANONYMOUS, "2001:db8::1"), (ANONYMOUS, "2001:db8::ffff:1"), True),
        ((ANONYMOUS, "2001:db8::1"), (ANONYMOUS, "2001:db8:0:1::1"), False),
        ((ANONYMOUS, "192.0.2.1"), (ANONYMOUS, "::ffff:192.0.2.1"), True),
        ((ANONYMOUS, "192.0.2.1"), (ANONYMOUS, "192.0.2.2"), False),
        ((Principal("ana"), "192.0.2.1"), (Principal("ana"), "192.0.2.2"), True),
        ((Principal("ana"), "192.0.2.1"), (Principal("ben"), "192.0.2.1"), False),
    ],
)
def test_jobs_of_one_network_or_user_are_counted_together(one, other, together):
    assert (counted_for(*one) == counted_for(*other)) is together
