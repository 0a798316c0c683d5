import signal

import pytest

from gateway.errors import SettingsError


@pytest.fixture(autouse=True)
def _mask():
    """Take back what a server that has ended leaves blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture
def served(monkeypatch):
    """The settings that the server was started with; it ends with the exit code 3."""
    given = []
    monkeypatch.setattr("gateway.serve.serve", lambda settings, reread: given.append(settings) or 3)
    return given


def test_the_flags_win_over_the_environment_and_the_exit_code_is_the_servers(gateway, served, monkeypatch):
    monkeypatch.setenv("GATEWAY_PORT", "8001")
    monkeypatch.setenv("GATEWAY_HOST", "127.0.0.2")
    gateway.run("serve", "--port", "8002", "--processes", "2", exit_code=3)
    (settings,) = served
    assert (settings.host, settings.port, settings.processes) == ("127.0.0.2", 8002, 2)


@pytest.mark.parametrize("before", [True, False])
def test_the_settings_file_is_taken_before_or_after_the_command(gateway, served, before):
    config = gateway.folder / "gateway.toml"
    config.write_text("port = 8003\n")
    flag = ("--config", config)
    gateway.run(*(flag if before else ()), "serve", *(() if before else flag), exit_code=3)
    assert served[0].port == 8003


def test_the_settings_are_read_anew_with_the_same_flags(gateway, monkeypatch):
    found = []
    monkeypatch.setattr("gateway.serve.serve", lambda _, reread: found.append(reread()) or 0)
    gateway.run("serve", "--port", "8002")
    assert found[0].port == 8002


def test_a_server_that_refuses_to_start_says_why_in_one_line(gateway, monkeypatch):
    def refuse(_, reread):
        raise SettingsError("the root data (file:data) cannot be read")

    monkeypatch.setattr("gateway.serve.serve", refuse)
    result = gateway.run("serve", exit_code=2)
    assert result.stderr == "Error: the root data (file:data) cannot be read\n"


@pytest.mark.parametrize("flags", [("--port", "70000"), ("--processes", "0"), ("--nonsense",)])
def test_wrong_flags_are_wrong_usage(gateway, served, flags):
    gateway.run("serve", *flags, exit_code=2)
    assert served == []


def test_signals_are_kept_from_before_the_server_is_imported(gateway, monkeypatch):
    blocked = []

    def look(settings, reread):
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return 0

    monkeypatch.setattr("gateway.serve.serve", look)
    gateway.run("serve")
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= blocked[0]


def test_people_are_greeted_with_the_address_the_state_and_the_roots(gateway, monkeypatch, capsys):
    gateway.dataset()
    ready = []
    monkeypatch.setattr("gateway.cli.shared.is_terminal", lambda *, err: err)
    monkeypatch.setattr("gateway.serve.serve", lambda _, reread, on_ready: ready.append(on_ready) or 0)
    gateway.run("serve")
    ready[0](8123)
    assert capsys.readouterr().err.splitlines() == [
        "COG Gateway: http://127.0.0.1:8123/ (Ctrl-C ends it)",
        f"State {gateway.folder / 'state'}: 1 dataset. Roots: data (file:{gateway.data})",
    ]


def test_the_greeting_names_the_public_address_where_there_is_one(gateway, monkeypatch, capsys):
    from gateway.cli.serve import greet
    from gateway.settings import load_settings

    gateway.catalogue()
    greet(load_settings({"public_url": "https://rasters.example.org"}), 8123)
    assert "COG Gateway: https://rasters.example.org/ " in capsys.readouterr().err


def test_a_root_whose_folder_is_missing_is_told_with_its_whole_path_and_what_can_be_done(gateway):
    from gateway.serve import start_problem
    from gateway.settings import load_settings

    gateway.data.rmdir()
    told = start_problem(load_settings({}))
    assert told.startswith(f"the root data (file:{gateway.data}) cannot be read")
    assert told.endswith("make that folder, or name others as roots (GATEWAY_ROOTS, [roots.NAME])")
