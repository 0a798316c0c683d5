import socket

import pytest

from gateway.systemd import notify


@pytest.mark.parametrize("abstract", [True, False])
def test_the_service_manager_is_told(monkeypatch, tmp_path_factory, abstract):
    name = f"@cog-gateway-test-{id(monkeypatch)}" if abstract else str(tmp_path_factory.mktemp("n") / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "relative", "/nowhere/at/all"])
def test_nobody_who_listens_is_no_error(monkeypatch, address):
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
