"""`serve` with a certificate."""

import ssl
from http.client import HTTPSConnection

import pytest

from tests.certificates import write_certificate
from tests.e2e.test_serve import bearer, ingest


@pytest.fixture
def certificate(folder):
    return write_certificate(folder)


def ask(server, trust, path, headers):
    connection = HTTPSConnection("localhost", server.port, context=trust, timeout=120)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_file_over_tls_is_the_file_and_plain_http_gets_nothing(start, folder, certificate):
    with (folder / "rasters" / "elevation.tif").open("ab") as file:
        file.write(bytes(range(256)) * 4096)
    server = start(
        "--processes", "2", host="localhost", tls_certificate=str(certificate[0]), tls_key=str(certificate[1])
    )
    dataset, headers = ingest(server), bearer(server)
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    whole = (folder / "rasters" / "elevation.tif").read_bytes()
    path = f"/api/datasets/{dataset}/download/cog"
    assert ask(server, trust, path, headers) == (200, whole)
    assert ask(server, trust, path, {**headers, "Range": "bytes=10-19"}) == (206, whole[10:20])
    status, record = ask(server, trust, f"/api/datasets/{dataset}", {})
    assert status == 200
    assert b'"https://localhost:' in record
    with pytest.raises(OSError):
        server.ask("/livez")
    assert server.stop() == 0


def test_connections_over_the_cap_are_closed_before_any_handshake(start, certificate):
    server = start(
        max_connections="1", host="localhost", tls_certificate=str(certificate[0]), tls_key=str(certificate[1])
    )
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    held = HTTPSConnection("localhost", server.port, context=trust, timeout=120)
    held.connect()
    with pytest.raises(OSError):
        ask(server, trust, "/livez", {})
    held.request("GET", "/livez")
    assert held.getresponse().status == 200
    held.close()


@pytest.mark.parametrize("broken", ["certificate", "key", "missing"])
def test_an_unfit_certificate_stops_the_start_with_one_line(start, folder, certificate, broken):
    if broken == "missing":
        certificate[1].unlink()
    else:
        certificate[broken == "key"].write_text("this is no PEM")
    server = start(tls_certificate=str(certificate[0]), tls_key=str(certificate[1]))
    assert server.wait() == 2
    (line,) = server.lines
    assert str(certificate[1]) in line
