from datetime import UTC, datetime

from gateway.dates import dates_of_file


def test_dates_are_those_that_the_records_keep():
    dates = dates_of_file(None, datetime(2026, 3, 4, 5, 6, 7, 625999, UTC))
    assert dates.start_at == dates.end_at == datetime(2026, 3, 4, 5, 6, 7, 625000, UTC)
