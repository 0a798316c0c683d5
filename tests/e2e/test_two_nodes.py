"""Two nodes behind the balancer, processes of their own: what one knows counts on the other, and either may go."""

import json
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from scripts.clustering.cluster import Cluster, Plan
from scripts.clustering.program import NotStarted
from scripts.drilling.clients import SERVED, Load
from scripts.drilling.nodefaults import revoked
from scripts.drilling.nodes import FAULTS
from scripts.drilling.server import Outcome, write_cog
from scripts.drilling.server import until_true as until
from tests.patience import SECONDS
from tests.postgres import DATABASES

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif("postgresql" not in DATABASES, reason="there is no PostgreSQL"),
]


class TwoNodes(Cluster):
    """A cluster with a database of the tests' own server, whose commands run in the process of the tests."""

    def __init__(self, folder, databases):
        super().__init__(folder, Plan(delivery=None))
        self._databases = databases

    def start_database(self, stack):
        self.postgres = self._databases.server
        self.database = stack.enter_context(self._databases.new())

    def database_url(self, user):
        return self.postgres.tcp_url(self.database)

    def command(self, *arguments):
        done = CliRunner().invoke(cli, arguments, env=self.environment)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture(scope="module")
def cluster(postgres):
    with tempfile.TemporaryDirectory(prefix="cg2n-") as folder:
        try:
            with TwoNodes(Path(folder), postgres) as started:
                yield started
        except NotStarted as error:
            if "nginx" not in str(error):
                raise
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def datasets(cluster):
    for name in "ab":
        write_cog(cluster.rasters / f"{name}.tif")
    return cluster.ingest_all(*(str(cluster.rasters / f"{name}.tif") for name in "ab"))


def path(dataset):
    return f"/api/datasets/{dataset}/download/cog"


def test_a_right_that_is_taken_away_is_gone_on_every_node_at_once(cluster):
    outcome = Outcome()
    revoked(cluster, 1, outcome)
    assert outcome.broken == [], outcome


def test_a_token_of_one_node_is_good_on_the_other_and_their_rows_are_in_one_table(cluster, datasets):
    first, second = (node.port for node in cluster.nodes)
    told = []
    for minted, used in ((first, second), (second, first)):
        token = cluster.download_token(datasets[0], cluster.bearer("ana"), minted)
        status, headers, _ = cluster.ask(f"{path(datasets[0])}?token={token}", port=used)
        assert status == 200
        told.append(headers["X-Request-Id"])
    rows = [json.loads(line) for line in cluster.command("audit", "list", "--json").splitlines()]
    assert [row["request_id"] for row in rows if row["action"] == "download.cog" and row["user_id"] == "ana"] == told
    assert len({row["id"] for row in rows}) == len(rows)
    (counted,) = cluster.postgres.execute("SELECT count(*), count(DISTINCT row_id) FROM audit", name=cluster.database)
    assert counted[0] == counted[1]


def test_the_balancer_sends_a_dataset_to_one_node_and_logs_the_gateway_s_id(cluster, datasets):
    asked = [cluster.ask(path(datasets[0]), headers=cluster.bearer("eva"))[1]["X-Request-Id"] for _ in range(4)]
    log = cluster.folder / "nginx" / "cog-gateway.access.log"
    found = {}

    def logged():
        found.update({line.split()[-1]: line.split()[-2] for line in log.read_text().splitlines() if line.strip()})
        return set(asked) <= found.keys()

    # A line is written after its answer has gone.
    until(logged, SECONDS)
    assert len({found[name] for name in asked}) == 1
    assert "token=" not in log.read_text()


def test_a_node_that_is_stopped_or_killed_costs_no_row_and_no_request_that_has_not_begun(cluster, datasets):
    stopped, killed = cluster.nodes
    with Load(cluster, datasets, (cluster.rasters / "a.tif").read_bytes(), clients=4) as load:
        until(lambda: any(answer.status in SERVED for answer in load.answers), SECONDS)
        assert stopped.stop() == 0
        stopped.start()
        cluster.wait_until_ready()
        in_order = len(load.answers)
        killed.kill()
        killed.start()
        cluster.wait_until_ready()
    assert [a for a in load.answers[:in_order] if a.status not in SERVED or not a.whole] == []
    # What had begun when its node was killed is cut.
    assert {answer.status for answer in load.answers} <= {*SERVED, *FAULTS["killed"].may}
    rows = cluster.rows_by_request()
    assert [a for a in load.answers if a.status in SERVED and rows[a.request_id] != 1] == []
    assert not cluster.leaked()
