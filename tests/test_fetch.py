"""fetch: the real clients against fake services that do all that services are known to do."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conftest import ROOT
from fake_services import (
    CLIENT,
    ENVIRONMENT,
    KEY,
    NOT_HERE,
    SECRET,
    TOKEN,
    FakeServices,
    Reply,
    answer,
    fake_services,
    spotify_id,
)
from songmood.engine.errors import UserError
from songmood.lyrics.cleaning import clean_lyrics
from songmood.settings import EnrichSettings, FetchSettings, Settings, load_settings
from songmood.steps.enrich import cache as cache_module
from songmood.steps.enrich.asking import Outcome, fetch_answers
from songmood.steps.enrich.cache import FILE, RequestCache, answers_fingerprint, read_answers
from songmood.steps.enrich.gate import Budget, Gate, Spent
from songmood.steps.enrich.keys import hide, read_keys
from songmood.steps.enrich.service import Answer, Request
from songmood.steps.enrich.services import KEY_NAMES, SERVICES, open_service

Make = Callable[..., Settings]
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def fake() -> Iterator[FakeServices]:
    with fake_services() as services:
        yield services


def names(count: int, start: int = 0) -> list[Request]:
    return [
        Request(f"artist {n}\tsong {n}", f"Artist {n}", f"Song {n}", 0) for n in range(start, start + count)
    ]


def ids(*values: str) -> list[Request]:
    return [Request(value, None, None, 0) for value in values]


def fetch(
    service: str, requests: list[Request], settings: Settings, folder: Path, budget: Budget | None = None
) -> tuple[Outcome, dict[str, Row]]:
    """Ask a service: how it went, and the newest row of each request in the cache."""
    opened = open_service(service, settings, budget or Budget())
    with RequestCache(folder) as cache:
        outcome = fetch_answers(opened, requests, len(requests), cache, settings.fetch)
    return outcome, rows(folder)


def rows(folder: Path) -> dict[str, Row]:
    """The newest answer to each request, as the file has it."""
    with closing(sqlite3.connect(folder / FILE)) as answers:
        answers.row_factory = sqlite3.Row
        return {row["request"]: dict(row) for row in answers.execute("SELECT * FROM answers ORDER BY number")}


def test_settings_and_the_list_of_services_have_the_same_names() -> None:
    for part in ("tags", "audio_features", "lyrics"):
        (sources, _) = get_args(EnrichSettings.model_fields[part].annotation)
        names = {name for name, entry in SERVICES.items() if entry.part == part}
        assert set(get_args(sources)) == {"files", *names}
    assert set(SERVICES) <= set(FetchSettings.model_fields)


def test_an_unknown_service_raises(make_settings: Make) -> None:
    with pytest.raises(LookupError, match="shazam is not a service"):
        open_service("shazam", make_settings(), Budget())


# -- any answer ------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def spoil(value: Any, way: list[int], odd: Any) -> Any:
    """JSON with another value in one place; `way` leads there."""
    if not way or not isinstance(value, list | dict) or not value:
        return odd
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[way[0] % len(keys)]
    changed = value.copy()
    changed[key] = spoil(value[key], way[1:], odd)
    return changed


@pytest.mark.parametrize("service", SERVICES)
@given(way=st.lists(st.integers(0, 20), max_size=5), odd=JSON, text=st.text())
@example(way=[1, 0, 0, 1], odd="half of a \ud83d pair", text="\ud83d")  # Genius: a title
@example(way=[0, 0], odd=None, text="&#x110000; <lfm")
@example(way=[0, 0, 3], odd=float("nan"), text="NaN")
@example(way=[0], odd=[], text="")
@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
def test_any_answer_of_a_service_is_kept_or_refused_and_ends_nothing(
    service: str, way: list[int], odd: Any, text: str
) -> None:
    """A part of the answer is replaced by anything. Of every request something is kept that is JSON."""

    def respond(path: str, body: str) -> Reply | None:
        status, headers, good = answer(fake, path, body)
        if path.startswith("/token"):
            return None
        if good.startswith("{"):
            return status, headers, json.dumps(spoil(json.loads(good), way, odd))
        place = sum(way) % (len(good) + 1)
        return status, headers, good[:place] + text.encode(errors="replace").decode() + good[place:]

    with fake_services() as fake, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        fake.respond = respond
        settings = load_settings(ROOT / "conf" / "base.yaml", [], [*fake.settings(), "fetch.tries=1"])
        by_id = SERVICES[service].part == "audio_features"
        requests = ids(spotify_id(1), spotify_id(2, unknown=True)) if by_id else names(2)
        outcome, found = fetch(service, requests, settings, Path(folder))
    assert outcome.stopped is None
    assert set(found) == {request.key for request in requests}
    for row in found.values():
        assert row["status"] in ("ok", "not_found", "no_match", "permanent", "transient")
        assert row["content"] is None or isinstance(json.loads(row["content"]), list | dict)


# -- each service in its own format ----------------------------------------------------------------


def test_lastfm_weights_are_numbers(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    requests = [*names(1), Request("a\tnone", "A", f"{NOT_HERE} Song", 0)]
    outcome, found = fetch("lastfm", requests, make_settings(*fake.settings()), tmp_path)
    assert outcome.statuses == {"ok": 1, "not_found": 1}
    assert outcome.stopped is None
    answer = found["artist 0\tsong 0"]
    assert json.loads(answer["content"]) == [["Happy", 100], ["pop & rock", 40], ["Song 0", 7]]
    assert (answer["source"], answer["version"], answer["attempts"]) == (
        "lastfm",
        SERVICES["lastfm"].version,
        1,
    )


@pytest.mark.parametrize("service", ["spotify", "reccobeats"])
def test_audio_features_in_batches(
    service: str, fake: FakeServices, make_settings: Make, tmp_path: Path
) -> None:
    good = [spotify_id(n) for n in range(150)]
    requests = ids(*good, spotify_id(7, unknown=True), "malformed", "with/slash")
    outcome, found = fetch(service, requests, make_settings(*fake.settings()), tmp_path)
    assert outcome.statuses == {"ok": 150, "not_found": 1, "permanent": 2}
    assert json.loads(found[spotify_id(42)]["content"])["valence"] == 0.42
    path = {"spotify": "/v1/audio-features", "reccobeats": "/recco/"}[service]
    assert len(fake.asked(path)) == {"spotify": 2, "reccobeats": 4}[service]
    assert not any("malformed" in request for request in fake.asked(path))


def test_one_bad_id_spoils_no_batch(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    bad = spotify_id(5)
    fake.respond = lambda path, _: (400, {}, "{}") if "audio-features" in path and bad in path else None
    outcome, found = fetch(
        "spotify", ids(*map(spotify_id, range(40))), make_settings(*fake.settings()), tmp_path
    )
    assert outcome.statuses == {"ok": 39, "permanent": 1}
    assert (found[bad]["status"], found[bad]["http_status"]) == ("permanent", 400)


def test_genius_takes_the_hit_that_matches(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    hits = {
        "Stay Ann": [
            ("Stay With Me", "Ann"),
            ("Stay (Karaoke Version)", "Ann"),
            ("Stay", "Bo"),
            ("Stay", "Ann"),
        ],
        "Gone Ann": [("Going", "Ann"), ("Gone (Tracklist)", "Ann")],
    }
    fake.hits = lambda words: hits.get(words, [])
    requests = [Request(f"ann\t{title}", "Ann", title, 0) for title in ("Stay", "Gone", "Nothing")]
    outcome, found = fetch("genius", requests, make_settings(*fake.settings()), tmp_path)
    assert outcome.statuses == {"ok": 1, "no_match": 1, "not_found": 1}
    content = json.loads(found["ann\tStay"]["content"])
    assert (content["title"], content["artist"], content["score"]) == ("Stay", "Ann", 100)
    assert (
        clean_lyrics(content["lyrics"])
        == "a line of Stay\nanother line sung here\nand a third one for the end"
    )
    assert fake.asked("/pages/") == ["/pages/Stay"]
    assert "Gone (Tracklist)" in found["ann\tGone"]["last_error"]
    assert "lyrics" not in json.loads(found["ann\tGone"]["content"])


# -- what goes wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_page_that_fails_does_not_mean_that_there_are_no_lyrics(
    status: int, fake: FakeServices, make_settings: Make, tmp_path: Path
) -> None:
    fake.respond = lambda path, _: (
        (status, {"Retry-After": "0"}, "no") if path.startswith("/pages/") else None
    )
    settings = make_settings(*fake.settings(), "fetch.tries=2")
    outcome, found = fetch("genius", names(1), settings, tmp_path)
    answer = found["artist 0\tsong 0"]
    assert outcome.statuses == {"transient": 1}
    assert (answer["status"], answer["http_status"], answer["attempts"]) == ("transient", status, 2)


@pytest.mark.parametrize("service", list(SERVICES))
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_the_asking(
    service: str, status: int, fake: FakeServices, make_settings: Make, tmp_path: Path
) -> None:
    fake.respond = lambda path, _: None if path == "/token" else (status, {}, "go away")
    many = ids(*map(spotify_id, range(500))) if service in ("spotify", "reccobeats") else names(50)
    outcome, found = fetch(service, many, make_settings(*fake.settings()), tmp_path)
    assert found == {}
    assert outcome.stopped is not None
    assert str(status) in outcome.stopped
    assert len(fake.seen) <= 4  # no more than were on their way


def test_a_wrong_key_of_lastfm(
    fake: FakeServices, make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTFM_API_KEY", "wrong-key-987")
    outcome, _ = fetch("lastfm", names(9), make_settings(*fake.settings()), tmp_path)
    assert outcome.stopped is not None
    assert "403" in outcome.stopped
    assert "wrong-key-987" not in outcome.stopped


@pytest.mark.parametrize(
    "reply",
    [
        (200, {"Content-Type": "text/html"}, "<html>maintenance</html>"),
        (429, {"Content-Type": "text/html", "Retry-After": "0"}, "<html>slow</html>"),
        (502, {}, "bad gateway"),
        (200, {}, "cut{"),
        (0, {}, ""),
    ],
    ids=["html 200", "html 429", "502", "not json", "cut"],
)
@pytest.mark.parametrize("service", list(SERVICES))
def test_a_passing_fault_is_tried_again(
    service: str, reply: Any, fake: FakeServices, make_settings: Make, tmp_path: Path
) -> None:
    def first_time(path: str, body: str) -> Any:
        main = not path.startswith(("/token", "/pages/"))
        return reply if main and sum(fake.tried.values()) <= 2 and len(fake.asked(path)) == 1 else None

    fake.respond = first_time
    request = ids(spotify_id(1)) if service in ("spotify", "reccobeats") else names(1)
    settings = make_settings(*fake.settings(), "fetch.threads=1")
    outcome, found = fetch(service, request, settings, tmp_path)
    assert outcome.statuses == {"ok": 1}
    assert next(iter(found.values()))["attempts"] == 2


def test_a_slow_answer_is_given_up(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    def slow(path: str, body: str) -> Any:
        time.sleep(1.0)

    fake.respond = slow
    settings = make_settings(*fake.settings(timeout_s=0.2), "fetch.tries=1")
    for service in ("lastfm", "genius", "reccobeats", "spotify"):
        request = ids(spotify_id(1)) if service in ("spotify", "reccobeats") else names(1)
        started = time.monotonic()
        outcome, found = fetch(service, request, settings, tmp_path / service)
        assert outcome.statuses == {"transient": 1}
        assert "cannot be reached" in next(iter(found.values()))["last_error"]
        assert time.monotonic() - started < 5


def test_without_a_network_asking_ends_at_once(make_settings: Make, tmp_path: Path) -> None:
    with fake_services() as gone:
        settings = gone.settings(max_wait_s=0)
    for service in ("lastfm", "genius"):
        outcome, _ = fetch(service, names(100), make_settings(*settings, "fetch.tries=1"), tmp_path / service)
        assert outcome.statuses["transient"] < 10
        assert "in a row failed" in str(outcome.stopped)
        assert "cannot be reached" in str(outcome.stopped)


def test_retry_after_is_obeyed_up_to_a_limit(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    fake.respond = lambda path, _: (429, {"Retry-After": "1"}, "") if len(fake.seen) == 1 else None
    settings = make_settings(*fake.settings(), "fetch.max_wait_s=3", "fetch.threads=1")
    outcome, _ = fetch("lastfm", names(2), settings, tmp_path)
    assert outcome.statuses == {"ok": 2}
    assert fake.seen[1][0] - fake.seen[0][0] >= 1.0
    fake.respond = lambda path, _: (429, {"Retry-After": "3600"}, "")
    outcome, _ = fetch("lastfm", names(50, start=10), settings, tmp_path)
    assert "pause of 3,600 s" in str(outcome.stopped)


# -- pace, budget, cache -------------------------------------------------------------------------------


def test_the_pace_is_kept(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings(*fake.settings(), "fetch.genius.per_second=20", "fetch.threads=4")
    fetch("genius", names(30), settings, tmp_path)
    assert len(fake.seen) == 60  # the search and the page
    assert fake.most_in_a_second() <= 20


@pytest.mark.parametrize("threads", [1, 4])
def test_a_budget_of_requests(threads: int, fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings(*fake.settings(), f"fetch.threads={threads}")
    budget = Budget(requests=12)
    outcome, found = fetch("lastfm", names(50), settings, tmp_path, budget)
    assert budget.asked == 12
    assert len(found) == len(fake.seen) == 12
    assert "fetch.max_requests" in str(outcome.stopped)


@pytest.mark.parametrize("service", ["lastfm", "genius"])
def test_a_request_that_ends_does_not_cut_off_another(
    service: str, fake: FakeServices, make_settings: Make, tmp_path: Path
) -> None:
    fake.respond = lambda path, body: time.sleep(len(path + body) % 7 / 100)  # so that they end out of order
    settings = make_settings(*fake.settings(), "fetch.threads=8", f"fetch.{service}.per_second=500")
    outcome, found = fetch(service, names(60), settings, tmp_path)
    assert outcome.statuses == {"ok": 60}
    assert {row["attempts"] for row in found.values()} == {1}


def test_a_budget_of_time(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    settings = make_settings(*fake.settings(), "fetch.lastfm.per_second=10")
    outcome, found = fetch("lastfm", names(100), settings, tmp_path, Budget(seconds=1.0))
    assert 1 <= len(found) <= 12
    assert "fetch.max_minutes" in str(outcome.stopped)


def test_no_thread_is_left_waiting(fake: FakeServices, make_settings: Make, tmp_path: Path) -> None:
    gate = Gate(0.5, Budget(), 1)
    gate.pause(60)
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(Spent):
            gate.enter()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    gate.closed.set()
    assert ended.wait(timeout=5)


def run_worker(folder: Path, songs: int, settings: list[str], kill_after: float | None = None) -> str:
    command = [sys.executable, str(ROOT / "tests" / "fetch_worker.py"), str(folder), str(songs), *settings]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        return worker.communicate(timeout=kill_after)[0]
    except subprocess.TimeoutExpired:
        worker.kill()
        return worker.communicate()[0]


@pytest.mark.slow
def test_a_run_killed_three_times_ends_like_one_that_was_not(tmp_path: Path) -> None:
    songs, rate, threads = int(os.environ.get("SONGMOOD_FETCH_SONGS", "1200")), 150, 4
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    rounds: dict[Path, FakeServices] = {}
    chance = random.Random(5)
    for folder in (quiet, killed):
        with fake_services(transient_share=0.1) as rounds[folder]:
            settings = rounds[folder].settings(threads=threads, max_wait_s=0.2, **{"lastfm.per_second": rate})
            kills = 3 if folder == killed else 0
            for _ in range(kills):
                run_worker(folder, songs, settings, kill_after=3 + chance.random() * songs / rate / 4)
            assert run_worker(folder, songs, settings).startswith("asked")
    names = ("status", "content", "http_status")
    states = [
        {key: [row[n] for n in names] for key, row in rows(folder).items()} for folder in (quiet, killed)
    ]
    assert states[0] == states[1]
    assert len(states[0]) == songs
    assert Counter(status for status, *_ in states[0].values())["not_found"] == songs // 20
    # answers say how many attempts were made; only those under way at a kill are not counted
    unkept = {
        folder: len(rounds[folder].seen) - sum(row["attempts"] for row in rows(folder).values())
        for folder in (quiet, killed)
    }
    assert unkept[quiet] <= 0
    assert unkept[killed] <= 3 * threads * 4  # tries of each
    assert len(rounds[quiet].seen) - songs < 0.15 * songs
    assert all(fake.most_in_a_second() <= rate for fake in rounds.values())


# -- the cache -----------------------------------------------------------------------------------------


def keep(
    folder: Path, *requests: str, source: str = "lastfm", status: str = "ok", content: str = "[]"
) -> None:
    """Add an answer to each request to the cache, in a run of its own."""
    with RequestCache(folder) as cache:
        cache.add(source, [Answer(request, status, content) for request in requests])


def test_the_cache_is_open_to_one_run_only(tmp_path: Path) -> None:
    with RequestCache(tmp_path), pytest.raises(UserError, match="another run is asking services"):
        RequestCache(tmp_path).__enter__()
    with RequestCache(tmp_path) as cache:
        assert cache.newest_time() is None


def test_the_fingerprint_changes_with_each_answer_of_a_service_that_is_on(
    make_settings: Make, tmp_path: Path
) -> None:
    settings = make_settings("enrich.tags=[files, lastfm]", f"fetch.cache={tmp_path}")
    seen = [answers_fingerprint(settings)]
    keep(tmp_path, "a", "b")
    seen.append(answers_fingerprint(settings))
    keep(tmp_path)
    seen.append(answers_fingerprint(settings))
    keep(tmp_path, "a", source="genius")
    seen.append(answers_fingerprint(settings))
    keep(tmp_path, "a")
    seen.append(answers_fingerprint(settings))
    assert [seen.index(fingerprint) for fingerprint in seen] == [0, 1, 1, 1, 4]


def test_the_newest_answer_of_this_version_counts(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_BATCH", 2)
    monkeypatch.setattr(cache_module, "_TASK", 3)
    assert read_answers(spark, tmp_path, "lastfm").count() == 0
    keep(tmp_path, "a", "b", "c", "d", "e", content="first")
    keep(tmp_path, "b", source="genius", content="of another service")
    keep(tmp_path, "a", "d", status="not_found", content="second")
    with monkeypatch.context() as changed:
        changed.setitem(SERVICES, "lastfm", SERVICES["lastfm"]._replace(version=2))
        keep(tmp_path, "a", content="of another version")
        assert read_answers(spark, tmp_path, "lastfm").count() == 1
    answers = read_answers(spark, tmp_path, "lastfm")
    keep(tmp_path, "a", content="of a later time")  # what is read does not change under way
    found = {row["request"]: (row["status"], row["content"]) for row in answers.collect()}
    assert found == {
        "a": ("not_found", "second"),
        "b": ("ok", "first"),
        "c": ("ok", "first"),
        "d": ("not_found", "second"),
        "e": ("ok", "first"),
    }
    times = [row["fetched_at"].astimezone(timezone.utc) for row in answers.collect()]
    assert all(abs(datetime.now(timezone.utc) - time) < timedelta(minutes=5) for time in times)
    assert not read_answers(spark, tmp_path, "lastfm", content=False).where("content IS NOT NULL").count()


def test_text_that_is_not_unicode_is_kept(spark: SparkSession, tmp_path: Path) -> None:
    keep(tmp_path, "a", content="half of a \ud83d pair, a \0, and ü")
    (row,) = read_answers(spark, tmp_path, "lastfm").collect()
    assert row["content"] == "half of a \\ud83d pair, a \0, and ü"


def old_rows(*requests: str, start: int = 1) -> list[Row]:
    return [
        {
            "number": number,
            "source": "lastfm",
            "version": SERVICES["lastfm"].version,
            "request": request,
            "status": "ok",
            "content": f"[{number}]",
            "http_status": None,
            "attempts": 1,
            "last_error": None,
            "fetched_at": datetime(2026, 1, 1, 12, 0, number, 5, timezone.utc),
        }
        for number, request in enumerate(requests, start)
    ]


def write_shard(folder: Path, rows: list[Row]) -> Path:
    """A shard as songmood wrote it before."""
    (folder / "answers").mkdir(exist_ok=True)
    shard = folder / "answers" / f"{rows[0]['number']:012}-{rows[-1]['number']:012}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(cache_module._COLUMNS)), shard)
    return shard


def write_journal(folder: Path, rows: list[Row], cut: int = 0) -> None:
    """A journal as songmood wrote it before, without its last `cut` characters."""
    lines = [json.dumps(row | {"fetched_at": row["fetched_at"].isoformat()}) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    (folder / "journal.jsonl").write_text(text[: len(text) - cut])


def test_answers_of_an_older_songmood_are_read(
    spark: SparkSession, make_settings: Make, tmp_path: Path
) -> None:
    write_shard(tmp_path, old_rows("a", "b"))
    write_shard(tmp_path, old_rows("c", "a", start=3))
    # as of a run that was killed between a shard and the end of the journal, and of one killed in a line
    write_journal(tmp_path, old_rows("c", "a", "d", "e", start=3), cut=20)
    expected = {"a": "[4]", "b": "[2]", "c": "[3]", "d": "[5]"}
    settings = make_settings("enrich.tags=[files, lastfm]", f"fetch.cache={tmp_path}")
    assert json.loads(answers_fingerprint(settings))["lastfm"][:2] == [1, 5]
    answers = read_answers(spark, tmp_path, "lastfm").collect()
    assert {row["request"]: row["content"] for row in answers} == expected
    assert {request: row["content"] for request, row in rows(tmp_path).items()} == expected
    with RequestCache(tmp_path) as cache:
        assert cache.newest_time() == datetime(2026, 1, 1, 12, 0, 5, 5, timezone.utc)
        cache.add("lastfm", [Answer("z", "ok", "[]")])
        assert not cache.notes  # the old ones are read once
    found = rows(tmp_path)
    assert sorted(found) == ["a", "b", "c", "d", "z"]
    assert found["z"]["number"] == 6


def test_answers_of_an_older_songmood_are_copied_all_or_none(tmp_path: Path) -> None:
    write_shard(tmp_path, old_rows("a", "b"))
    damaged = write_shard(tmp_path, old_rows("c", start=3))
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(UserError, match=r"damaged: move it away"), RequestCache(tmp_path):
        pass
    assert damaged.exists()
    damaged.unlink()
    with RequestCache(tmp_path) as cache:
        assert cache.notes[0].startswith("2 answers of an older songmood were copied")
    assert sorted(rows(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("damage", ["cut", "not a database", "overwritten"])
def test_a_damaged_cache_is_one_line(
    damage: str, spark: SparkSession, make_settings: Make, tmp_path: Path
) -> None:
    keep(tmp_path, *map(str, range(500)))
    file = tmp_path / FILE
    content = file.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "not a database": b"text" * 5000,
        "overwritten": content[:4096] + b"x" * (len(content) - 4096),
    }[damage]
    file.write_bytes(damaged)
    settings = make_settings("enrich.tags=[files, lastfm]", f"fetch.cache={tmp_path}")
    message = r"^the cache \S*answers.sqlite is damaged: move it away, and services are asked again for .*$"
    with pytest.raises(UserError, match=message), RequestCache(tmp_path) as cache:
        cache.add("lastfm", [Answer("r", "ok", "[]")])
    with pytest.raises(UserError, match=message):
        answers_fingerprint(settings)
    with pytest.raises(UserError, match=message):
        read_answers(spark, tmp_path, "lastfm")
    assert file.read_bytes() == damaged


def test_a_cache_of_a_newer_songmood_is_not_touched(tmp_path: Path) -> None:
    keep(tmp_path, "a")
    with closing(sqlite3.connect(tmp_path / FILE)) as answers:
        answers.execute("PRAGMA user_version = 2")
    with pytest.raises(UserError, match="written by a newer songmood"), RequestCache(tmp_path):
        pass


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    with RequestCache(tmp_path) as cache:
        cache.add("lastfm", [Answer("r0", "ok", "[]")])
        # SQLite's error of a full disk
        cache._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(
            UserError, match=r"^cannot use the cache .*: database or disk is full; the answers so far"
        ):
            cache.add("lastfm", [Answer("r1", "ok", "[]" * 100_000)])
    assert sorted(rows(tmp_path)) == ["r0"]
    keep(tmp_path, "r2")
    assert sorted(rows(tmp_path)) == ["r0", "r2"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"^cannot write the cache "), RequestCache(tmp_path / "file"):
        pass


# -- keys ------------------------------------------------------------------------------------------------


def test_keys_come_from_the_environment_or_a_file_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GENIUS_ACCESS_TOKEN")
    with pytest.raises(UserError, match="no GENIUS_ACCESS_TOKEN"):
        read_keys("GENIUS_ACCESS_TOKEN")
    file = tmp_path / "keys"
    file.write_text("# mine\nGENIUS_ACCESS_TOKEN = 'abc'\n")
    file.chmod(0o600)
    monkeypatch.setenv("SONGMOOD_KEYS", str(file))
    assert read_keys("GENIUS_ACCESS_TOKEN", "LASTFM_API_KEY") == ["abc", KEY]
    assert (
        hide(f"x abc {KEY} {SECRET}", KEY_NAMES)
        == "x <GENIUS_ACCESS_TOKEN> <LASTFM_API_KEY> <SPOTIFY_CLIENT_SECRET>"
    )
    file.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        read_keys("GENIUS_ACCESS_TOKEN")


@pytest.mark.parametrize("service", ["lastfm", "spotify", "genius"])
def test_keys_are_in_no_error_log_or_cache(
    service: str,
    fake: FakeServices,
    make_settings: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(0)
    fake.respond = lambda path, body: (503, {}, f"{path} {body} {KEY} {SECRET} {TOKEN}")
    request = ids(spotify_id(1)) if service == "spotify" else names(1)
    outcome, found = fetch(service, request, make_settings(*fake.settings(), "fetch.tries=2"), tmp_path)
    shown = capfd.readouterr()
    text = f"{outcome} {found} {caplog.text} {shown}"
    assert outcome.statuses == {"transient": 1}
    assert not any(key in text for key in (KEY, CLIENT, SECRET, TOKEN))
