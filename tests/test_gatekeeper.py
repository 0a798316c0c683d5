from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.dates import DatedBy, Dates
from gateway.errors import (
    BadCredential,
    Forbidden,
    MalformedId,
    NotACog,
    NotFound,
    StorageUnavailable,
    Unavailable,
    VersionChanged,
)
from gateway.gatekeeper import Action, Gatekeeper, Wait, admitted, roles_needed, vouched
from gateway.model import Dataset, Finding, Grant, Inspection, Level, Principal, RasterFacts, Report, Scale, TokenKind
from gateway.principal import StoredKind, StoredToken, Target
from gateway.records import Standing, Verdict
from gateway.records.changes import same_verdict
from gateway.storage import open_storage

ID = "12345678-1234-4234-8234-123456789abc"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Inspection(Report("blocks"), RasterFacts(1, 1, 1, "uint8", None, None, None))
BAD = Inspection(Report("blocks", (Finding("strips", "in strips"),)), None)
ANA, BEN, NOBODY = Principal("ana"), Principal("ben"), Principal()


class Shelf:
    """Records of one dataset, kept in memory."""

    def __init__(self, dataset):
        self.kept = dataset
        self.given = ()
        self.disabled, self.revoked = set(), set()
        self.rows = []

    def dataset(self, dataset_id):
        return self.kept if self.kept and self.kept.id == dataset_id else None

    def standing(self, dataset_id, holder):
        return Standing(self.dataset(dataset_id), self.given, self.is_refused(holder))

    def is_refused(self, holder):
        return holder.user in self.disabled or holder.token_id in self.revoked

    def judge_dataset(self, known, verdict, row):
        if not same_verdict(known, self.kept):
            return None
        self.kept = replace(verdict.of(self.kept), updated_at=row.at)
        self.rows.append(row)
        return self.kept


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"bytes")
    stat = open_storage("data", f"file:{tmp_path}").stat("a.tif")
    return Shelf(
        Dataset(ID, "data", "a.tif", "A", "ana", Scale.PRIVATE, Scale.PRIVATE, stat.version, 5, GOOD.report, GOOD.raster,
                NOW, NOW, collection="data", dates=Dates(NOW, NOW, DatedBy.MODIFIED))
    )  # fmt: skip


@pytest.fixture
def judged():
    return []


@pytest.fixture
def keeper(shelf, tmp_path, judged):
    verdicts = {"next": GOOD}

    def inspect(dataset, opened, siblings):
        judged.append(opened.stat.version)
        answer = verdicts["next"]
        return answer() if callable(answer) else answer

    def judge_deep(dataset, stat):
        judged.append((dataset.id, stat.version))
        return Unavailable("It is being judged.")

    made = Gatekeeper(shelf, {"data": open_storage("data", f"file:{tmp_path}")}, inspect, judge_deep)
    made.verdicts = verdicts
    return made


@pytest.mark.parametrize("visibility", list(Scale))
@pytest.mark.parametrize("download", list(Scale))
def test_the_matrix_of_scales(shelf, visibility, download):
    if download.width > visibility.width:
        return
    dataset = replace(shelf.kept, visibility=visibility, download=download)
    admin, survey = Principal("x", frozenset({"admin"})), Principal("x", frozenset({"survey"}))
    grants = (
        Grant(ID, Level.VIEW, user="viewer"), Grant(ID, Level.DOWNLOAD, user="taker"), Grant(ID, Level.DOWNLOAD, role="survey"),
    )  # fmt: skip
    for action, scale in ((Action.VIEW, visibility), (Action.DOWNLOAD, download)):
        everybody, signed_in = scale is Scale.PUBLIC, scale is not Scale.PRIVATE
        for principal, private in (
            (NOBODY, False), (BEN, False), (ANA, True), (admin, True), (survey, True), (Principal("taker"), True),
            (Principal("viewer"), action is Action.VIEW), (Principal(None, frozenset({"admin"})), False),
        ):  # fmt: skip
            expected = everybody or (principal.user is not None and (signed_in or private))
            assert (roles_needed(dataset, principal, action, grants) is not None) == expected


def test_roles_are_named_only_where_the_right_depends_on_them(shelf):
    both = Principal("x", frozenset({"admin", "survey", "other"}))
    grants = (Grant(ID, Level.DOWNLOAD, role="survey"),)
    assert roles_needed(shelf.kept, both, Action.VIEW, grants) == {"admin", "survey"}
    assert roles_needed(replace(shelf.kept, owner="x"), both, Action.VIEW, grants) == frozenset()
    assert roles_needed(shelf.kept, both, Action.VIEW, (*grants, Grant(ID, Level.VIEW, user="x"))) == frozenset()


def test_a_token_on_record_gives_what_it_is_for_and_nothing_when_it_is_revoked(keeper, shelf):
    def holder(**changes):
        facts = {"id": "t", "kind": StoredKind.OWN, "hash": "", "owner": "ana", "roles": frozenset(), "name": "",
                 "download": True, "target": Target(), "created_at": NOW, "expires_at": NOW}  # fmt: skip
        return Principal("ana", token_id="t", stored=StoredToken(**{**facts, **changes}))

    for reached in (Target(), Target(ID), Target(collection="data")):
        assert keeper.admit(ID, holder(target=reached), Action.DOWNLOAD).dataset is shelf.kept
    for elsewhere in (Target(ID.replace("1", "2")), Target(collection="maps")):
        with pytest.raises(NotFound):
            keeper.admit(ID, holder(target=elsewhere), Action.VIEW)
    assert keeper.admit(ID, holder(download=False), Action.VIEW).dataset is shelf.kept
    with pytest.raises(Forbidden):
        keeper.admit(ID, holder(download=False), Action.DOWNLOAD)
    shelf.revoked = {"t"}
    with pytest.raises(BadCredential):
        keeper.admit(ID, holder(), Action.VIEW)
    with pytest.raises(BadCredential):
        keeper.check_enabled(holder())


def test_admission_in_the_order_of_the_checks(keeper, shelf):
    shelf.disabled = {"off"}
    for raw_id in ("nonsense", ID):
        with pytest.raises(BadCredential):
            keeper.admit(raw_id, Principal("off"), Action.VIEW)
    with pytest.raises(MalformedId):
        keeper.admit("nonsense", BEN, Action.VIEW)
    with pytest.raises(MalformedId):
        keeper.admit("nonsense", NOBODY, Action.VIEW)
    other = Principal(None, kind=TokenKind.DOWNLOAD, dataset_id=ID.replace("1", "2"))
    with pytest.raises(BadCredential) as caught:
        keeper.admit(ID, other, Action.VIEW)
    assert caught.value.dataset_id == ID
    with pytest.raises(NotFound) as caught:
        keeper.admit(ID.replace("1", "2"), ANA, Action.VIEW)
    assert caught.value.dataset_id is None
    with pytest.raises(NotFound) as caught:
        keeper.admit(ID, BEN, Action.VIEW)
    assert caught.value.dataset_id == ID
    shelf.given = (Grant(ID, Level.VIEW, user="ben"),)
    assert keeper.admit(ID, BEN, Action.VIEW).dataset is shelf.kept
    with pytest.raises(Forbidden):
        keeper.admit(ID, BEN, Action.DOWNLOAD)
    shelf.given = (Grant(ID, Level.DOWNLOAD, role="survey"),)
    admitted = keeper.admit(ID.upper(), Principal("ben", frozenset({"survey"})), Action.DOWNLOAD)
    assert admitted.through_roles == {"survey"}


@pytest.mark.parametrize("scale", list(Scale))
def test_a_tile_token_shows_and_never_gives_what_its_holder_may_have(keeper, shelf, scale):
    shelf.kept = replace(shelf.kept, visibility=scale, download=scale)
    tiles, download = (Principal("ana", kind=kind, dataset_id=ID) for kind in (TokenKind.TILES, TokenKind.DOWNLOAD))
    assert keeper.admit(ID, tiles, Action.VIEW).dataset is shelf.kept
    with pytest.raises(Forbidden):
        keeper.admit(ID, tiles, Action.DOWNLOAD)
    assert keeper.admit(ID, download, Action.DOWNLOAD).dataset is shelf.kept


def test_the_judged_version_is_not_judged_again(keeper, shelf, judged):
    dataset, stat = keeper.vouch(shelf.kept)
    assert (dataset, stat.version, judged) == (shelf.kept, shelf.kept.version, [])


def test_who_cannot_wait_for_a_verdict_is_told_so(keeper, shelf, judged, tmp_path):
    assert keeper.judged(shelf.kept)[0] is shelf.kept
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    assert keeper.judged(shelf.kept) is None
    assert judged == []


def test_a_changed_file_is_judged_once_and_saved(keeper, shelf, judged, tmp_path):
    before = shelf.kept
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    dataset, stat = keeper.vouch(before)
    assert dataset.version == stat.version == shelf.kept.version != before.version
    keeper.vouch(shelf.kept)
    keeper.vouch(before)
    assert judged == [stat.version]
    (row,) = shelf.rows
    assert (row.action, row.detail) == (
        "dataset.judged",
        {"valid": True, "depth": "blocks", "replaced": before.version},
    )


def test_a_version_that_another_process_judges_meanwhile_is_taken_as_it_was_judged_there(
    keeper, shelf, judged, tmp_path
):
    before = shelf.kept
    deep = replace(GOOD, report=replace(GOOD.report, depth="full"))

    def elsewhere():
        stat = open_storage("data", f"file:{tmp_path}").stat("a.tif")
        shelf.kept = Verdict(stat.version, stat.size_bytes, deep, "ab" * 32).of(before)
        return GOOD

    keeper.verdicts["next"] = elsewhere
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    dataset, stat = keeper.vouch(before)
    assert (dataset.version, dataset.report.depth, dataset.sha256) == (stat.version, "full", "ab" * 32)
    assert shelf.rows == []


def test_what_was_judged_deeper_than_usual_is_not_waited_for_when_it_changes(keeper, shelf, judged, tmp_path):
    deep = shelf.kept = replace(shelf.kept, report=Report("full"))
    assert keeper.vouch(deep)[0] is deep
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    version = open_storage("data", f"file:{tmp_path}").stat("a.tif").version
    for ask in (keeper.judged, keeper.vouch):
        with pytest.raises(Unavailable, match="being judged"):
            ask(deep)
    # Admitted by a record that has been judged deeper by the time that it is its turn.
    with pytest.raises(Unavailable, match="being judged"):
        keeper.vouch(replace(deep, report=GOOD.report))
    assert judged == [(ID, version)] * 3
    assert shelf.rows == []


def test_a_version_that_goes_while_it_is_judged_is_judged_anew(keeper, shelf, judged, tmp_path):
    def gone():
        keeper.verdicts["next"] = GOOD
        raise VersionChanged("The object has changed just now.")

    keeper.verdicts["next"] = gone
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    dataset, stat = keeper.vouch(shelf.kept)
    assert dataset.version == stat.version
    # Judged twice, and put on record once.
    assert (len(judged), len(shelf.rows)) == (2, 1)


def test_what_is_no_cog_is_refused_with_findings_until_it_changes(keeper, shelf, judged, tmp_path):
    keeper.verdicts["next"] = BAD
    (tmp_path / "a.tif").write_bytes(b"no cog")
    for _ in range(2):
        with pytest.raises(NotACog) as caught:
            keeper.vouch(shelf.kept)
        assert caught.value.dataset_id == ID
        assert [f["rule"] for f in caught.value.members["errors"]] == ["strips"]
    assert (len(judged), len(shelf.rows)) == (1, 1)


@pytest.mark.parametrize(("store", "judgement"), [(Wait.DISK, Wait.JUDGEMENT), (Wait.STORE, Wait.STORE_JUDGEMENT)])
def test_what_a_decision_must_wait_for_is_told_step_by_step(keeper, shelf, tmp_path, monkeypatch, store, judgement):
    remote = store.for_store
    shelf.kept = replace(shelf.kept, report=Report("header"))
    monkeypatch.setattr(keeper.storage_of(shelf.kept), "remote", remote)
    assert {wait for wait in Wait if wait.for_store} == {Wait.STORE, Wait.STORE_JUDGEMENT}
    assert {wait for wait in Wait if wait.for_judgement} == {Wait.JUDGEMENT, Wait.STORE_JUDGEMENT}
    if remote:
        assert vouched(keeper, shelf.kept, Wait.NOTHING) is Wait.STORE
    assert vouched(keeper, shelf.kept, store)[0] is shelf.kept
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    assert admitted(keeper, ID, ANA, Action.VIEW, store) is judgement
    dataset, found = admitted(keeper, ID, ANA, Action.VIEW, judgement)
    assert (dataset.version, found.dataset.id) == (shelf.kept.version, ID)
    assert vouched(keeper, dataset, store)[0] is dataset


def test_a_file_that_is_gone_or_in_an_unknown_root(keeper, shelf, tmp_path):
    (tmp_path / "a.tif").unlink()
    with pytest.raises(NotFound) as caught:
        keeper.vouch(shelf.kept)
    assert caught.value.dataset_id == ID
    with pytest.raises(StorageUnavailable):
        keeper.vouch(replace(shelf.kept, root="other"))


def test_a_file_that_never_stands_still_is_unavailable(keeper, shelf, tmp_path):
    lengths = iter(range(100, 200))

    def write_again():
        (tmp_path / "a.tif").write_bytes(b"x" * next(lengths))
        return GOOD

    keeper.verdicts["next"] = write_again
    (tmp_path / "a.tif").write_bytes(b"y")
    before = shelf.kept.version
    with pytest.raises(StorageUnavailable):
        keeper.vouch(shelf.kept)
    assert shelf.kept.version == before


def test_a_dataset_removed_while_it_is_judged_is_not_found(keeper, shelf, tmp_path):
    (tmp_path / "a.tif").write_bytes(b"other bytes")
    dataset, shelf.kept = shelf.kept, None
    with pytest.raises(NotFound):
        keeper.vouch(dataset)


def test_a_layer_is_asked_for_by_people_and_by_its_own_tokens(keeper, shelf):
    scope = "collection:sheets"
    of_layer = replace(ANA, kind=TokenKind.TILES, layer=scope)
    for principal in (NOBODY, ANA, of_layer):
        keeper.check_layer(principal, scope)
    for other in (replace(of_layer, layer="search:sheets"), replace(ANA, kind=TokenKind.TILES, dataset_id=ID)):
        with pytest.raises(BadCredential, match="something else"):
            keeper.check_layer(other, scope)
    with pytest.raises(BadCredential, match="another dataset"):
        keeper.admit(ID, of_layer, Action.VIEW)
    shelf.disabled.add("ana")
    with pytest.raises(BadCredential, match="not accepted"):
        keeper.check_layer(of_layer, scope)
