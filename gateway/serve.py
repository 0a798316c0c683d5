"""The server process: checks before the start, then one worker here, or several and a recorder under the supervisor.

Order in every worker: fork, then sockets, services, threads, loop. Nothing is opened before the fork, because
neither SQLite connections nor GDAL datasets nor threads survive one. Signals are blocked from the first act on, and
kept until there is somebody who can serve them.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tornado.netutil import bind_sockets

from gateway import logs
from gateway.allocator import give_large_blocks_back
from gateway.app import GatewayServer, make_app, make_server, tls_context
from gateway.audit import written_here
from gateway.errors import GatewayError, SettingsError, StorageUnavailable
from gateway.handlers.watching import keep_looking
from gateway.keyring import Keys
from gateway.recording import listen, record_for_workers, recorder_socket
from gateway.records import file_of, old_library
from gateway.scratch import shared_folder
from gateway.services import Services, needed_modules, open_services
from gateway.settings import Settings, told_unknown
from gateway.state import database_url, place_of_records
from gateway.studio.forks import Forks, asking_pair, run_program
from gateway.studio.process import ProcessStudio, plan_of, shared_blocks_mb
from gateway.supervisor import CHILD_READY, CHILD_STOP, STOPS, Child, Supervisor
from gateway.systemd import READY, STOPPING, notify, reloading

log = logging.getLogger("gateway")
# A connection needs its socket; a download a duplicate of it and the file.
DESCRIPTORS_PER_CONNECTION = 3
DESCRIPTORS_RESERVED = 256
POLL_SECONDS = 0.02
# How long requests that were cut may take to notice.
END_SECONDS = 2.0
# A database of many gigabytes is not read to its end before the start.
QUICK_CHECK_SECONDS = 5.0
# What must wait until it can be served.
KEPT = (*STOPS, signal.SIGHUP, CHILD_STOP)


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker needs to know of the process that it is.

    `stops` end it. `tell` is called with what systemd would be told of it: READY when it accepts and whenever it has
    read its keys anew. `recorder` writes its audit, `forks` has its painters; None: itself does.
    """

    keys: Keys
    counts: Path
    stops: tuple[signal.Signals, ...]
    tell: Callable[[str], object]
    recorder: Path | None = None
    forks: Forks | None = None
    on_ready: Callable[[int], None] | None = None


def serve(
    settings: Settings,
    on_ready: Callable[[int], None] | None = None,
    reread: Callable[[], Settings] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code, 0 after a drained stop.

    `on_ready` is called with the port, once, when a worker accepts connections. At SIGHUP the keys are taken
    from `reread`. Raises SettingsError when the server must not start. Signals stay blocked after it has returned.
    """
    with ExitStack() as on_failure:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, KEPT)
        on_failure.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        logs.configure(settings.log_level)
        give_large_blocks_back()
        for told in told_unknown(os.environ):
            log.warning("%s", told)
        warn_of_old_library(settings.processes if file_of(database_url(settings)) else 0)
        check_start(settings)
        code = serve_checked(settings, on_ready, reread or (lambda: settings))
        on_failure.pop_all()
    return code


def serve_checked(settings: Settings, on_ready: Callable[[int], None] | None, reread: Callable[[], Settings]) -> int:
    """Serve with settings that were tried; returns the exit code. Raises SettingsError when the port is taken."""
    with ExitStack() as stack:
        reserved = stack.enter_context(reserve_port(settings))
        port, connections = reserved.getsockname()[1], connection_cap(settings.max_connections)
        settings = settings.model_copy(update={"max_connections": connections, "port": port})
        counts = stack.enter_context(shared_folder())
        keys = Keys(settings, reread)
        stack.callback(keys.close)
        if settings.processes > 1:
            return supervise(keys, counts, on_ready)
        run_worker(Worker(keys, counts, STOPS, notify, on_ready=on_ready))
        return 0


def supervise(keys: Keys, counts: Path, on_ready: Callable[[int], None] | None) -> int:
    """Keep the workers and their recorder alive until SIGTERM or SIGINT; returns the exit code."""
    settings, parent = keys.settings, os.getpid()
    for name in needed_modules(settings):
        importlib.import_module(name)
    gc.freeze()

    def tell(state: str) -> None:
        # The parent knows of all else by itself; and no stranger who has taken an orphan in is to have it.
        if state == READY and os.getppid() == parent:
            os.kill(parent, CHILD_READY)

    def work(told: Callable[[int], None] | None) -> None:
        keys.at_start()
        run_worker(Worker(keys, counts, (CHILD_STOP,), tell, recorder_socket(counts), Forks(asking), told))

    asking, requests = asking_pair()
    with listen(counts) as listener, asking, requests:
        workers = [Child("worker", lambda _: work(None)) for _ in range(settings.processes)]
        workers[0].work = lambda starts: work(on_ready if starts == 1 else None)
        recorder = Child("recorder", lambda _: record_for_workers(settings, counts, listener), last=True)
        blocks_mb = shared_blocks_mb(settings.gdal_cache_mb, settings.processes * settings.painters)
        forks = Child("forkserver", lambda _: run_program(requests, blocks_mb), last=True)
        return Supervisor([forks, *workers, recorder], settings.drain_seconds).run()


def warn_of_old_library(processes: int) -> None:
    """Log one warning where several processes write by an SQLite that has the WAL-reset bug."""
    if processes > 1 and (version := old_library()) is not None:
        log.warning("SQLite %s has the WAL-reset bug: several processes may damage the database", version)


def connection_cap(wanted: int) -> int:
    """Return how many connections a worker may hold, after raising RLIMIT_NOFILE as far as it goes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = max(1, min(wanted, (hard - DESCRIPTORS_RESERVED) // DESCRIPTORS_PER_CONNECTION))
    if allowed < wanted:
        told = "MAX_CONNECTIONS is lowered from %d to %d: the limit of open files is %d (LimitNOFILE=, ulimit -Hn)"
        log.warning(told, wanted, allowed, hard)
    return allowed


def check_start(settings: Settings) -> None:
    """Open everything once, in a child; raises SettingsError with the sentence of what fails.

    A child, because nothing may be open before the workers are forked, and because what fails here would
    fail in every worker again and again.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, start_problem(settings).encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        problem = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if problem or status:
        raise SettingsError(problem or "the start-up check ended early")


def start_problem(settings: Settings) -> str:
    """Return why the server must not start, in one line, or nothing."""
    try:
        tls_context(settings)
        with open_services(settings) as services:
            services.records.ping()
            if not services.records.is_whole(QUICK_CHECK_SECONDS):
                return f"{place_of_records(settings)} is damaged: restore it from a backup"
            for name, storage in services.storages.items():
                try:
                    storage.ping()
                except GatewayError as error:
                    told = f"the root {name} ({settings.roots[name].whole_uri}) cannot be read"
                    if isinstance(error, StorageUnavailable) and error.reason:
                        told += f": {error.reason}"
                    if not storage.remote:
                        return f"{told}; make that folder, or name others as roots (GATEWAY_ROOTS, [roots.NAME])"
                    # A store may be away for a while, and what lies on disks is served without it.
                    log.warning("%s", told)
    except GatewayError as error:
        return error.told
    return ""


def reserve_port(settings: Settings) -> socket.socket:
    """Return a bound socket that never listens: it takes no connection, but learns and holds the port.

    The first bind is without SO_REUSEPORT, so that a port in use is seen; raises SettingsError then.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            address = probe.getsockname()
        reserved = socket.socket(family, kind, proto)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
    except OSError as error:
        reason = error.strerror or "no such host"
        raise SettingsError(f"cannot listen on {settings.host} port {settings.port}: {reason}") from None
    return reserved


def run_worker(worker: Worker) -> None:
    """Serve in this process until told to stop; then drain and close."""
    settings, forks = worker.keys.settings, worker.forks
    plan = plan_of(settings)
    with open_services(settings, worker.counts, lambda *_: ProcessStudio(plan, forks), worker.recorder) as services:
        services.rates.load()
        asyncio.run(_serve_and_record(services, worker))


def renew_keys(services: Services, worker: Worker) -> None:
    """Let a worker that runs take the keys as they are now."""
    worker.tell(reloading())
    try:
        if worker.keys.renew():
            services.reread_keys(worker.keys.settings)
            log.info("the keys are read anew: %s", worker.keys.told())
    except SettingsError as error:
        log.error("the keys stay as they are: %s", error.detail)
    worker.tell(READY)


async def _serve_and_record(services: Services, worker: Worker) -> None:
    async with written_here(services.audit):
        await _serve_until_told(services, worker)


async def _serve_until_told(services: Services, worker: Worker) -> None:
    app, settings, loop = make_app(services), services.settings, asyncio.get_running_loop()
    told, hurried = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        # The second signal does not wait for open answers any more.
        (hurried if told.is_set() else told).set()

    for number in worker.stops:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, renew_keys, services, worker)
    server = make_server(app, services)
    # What is there now stays for good: a collection that looks at all of it again stops every answer for long.
    gc.collect()
    gc.freeze()
    server.add_sockets(bind_sockets(settings.port, settings.host, reuse_port=True))
    log.info("accepting on %s port %d", settings.host, settings.port)
    # After that: files are handed out again at once, and painters, which take longer to start, cost a start no time.
    services.studio.attach(loop)
    if worker.on_ready is not None:
        worker.on_ready(settings.port)
    worker.tell(READY)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, KEPT)
    watch = asyncio.create_task(keep_looking(services, app.settings["load"]))
    await told.wait()
    worker.tell(STOPPING)
    watch.cancel()
    await drain(server, settings.drain_seconds, hurried)
    # The loop gives its handlers up as it closes: a signal would then cut the flush of the audit short.
    signal.pthread_sigmask(signal.SIG_BLOCK, worker.stops)


async def drain(server: GatewayServer, seconds: float, hurried: asyncio.Event) -> None:
    """Stop accepting, let open answers end for at most `seconds` or until `hurried`, then close."""
    load = server.load
    server.begin_drain()
    # One more turn of the loop accepts what the kernel has already connected.
    await asyncio.sleep(0)
    server.stop()
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (load.requests or server.writing()) and loop.time() < until and not hurried.is_set():
        await asyncio.sleep(POLL_SECONDS)
    log.info("drained, %d requests cut", load.requests)
    await server.close_all_connections()
    # Those that were cut note their end.
    until = loop.time() + END_SECONDS
    while load.requests and loop.time() < until:
        await asyncio.sleep(POLL_SECONDS)
    while server.clients.half_closed and not hurried.is_set():
        await asyncio.sleep(POLL_SECONDS)
