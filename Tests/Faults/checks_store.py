"""A database that is damaged: refused with the way out, or served whole, or what is missing is told."""

import os

import checks_disk
import ferry
import harness
import judge
import scenarios
from case import Case, Settings, pairs

TABLE = "damage to the store"
_DATABASE, _LOG = "ferry.sqlite", "ferry.sqlite-wal"


def _make(clean):
    """A state directory with some history: of a daemon that stopped, or that died with its log full."""
    path = f"{Settings.scratch}/template-history-{clean}"
    if os.path.exists(path):
        return path
    with Case(with_shim=False) as case:
        case.ferry.start()
        for body in (ferry.save([s for s, _ in pairs()]), ferry.migrate(pairs()), ferry.save(["sim-8"])):
            case.finish(case.submit(body))
        if not clean:
            job = case.submit(ferry.migrate([("sim-8", "sim-9")], switchover={"mode": "manual"}))
            case.follow(job, scenarios._is_at_gate_or_over, "came to the gate")
        record = judge.Record(case.ferry)
        _truths[clean] = (set(record.jobs), set(record.sessions), set(record.images),
                          {j: len(journal) for j, journal in record.journals.items()})
        if clean:
            case.ferry.terminate()
        else:
            case.ferry.kill()
        ferry.copy_tree(case.ferry.state, path)
    return path


def damages(clean):
    """(name, file, function of its bytes) for every kind and many places."""
    size = os.path.getsize(f"{_make(clean)}/{_DATABASE}")
    yield "emptied", _DATABASE, lambda b: b""
    yield "garbage", _DATABASE, lambda b: b"this is no database\n" * 1000
    yield "zeroes", _DATABASE, lambda b: bytes(len(b))
    for offset in range(0, 100, 3):
        yield f"header byte {offset} flipped", _DATABASE, _flipped(offset)
    for offset in range(100, size, 509):
        yield f"byte {offset} flipped", _DATABASE, _flipped(offset)
    for offset in range(0, size, 4096):
        for place in (0, 1, 3, 4, 5, 8, 9, 12, 13):
            offset_in_page = offset + place + (100 if offset == 0 else 0)
            yield f"page header byte {offset_in_page} flipped", _DATABASE, _flipped(offset_in_page)
        yield f"page at {offset} zeroed", _DATABASE, _replaced(offset, bytes(4096))
        yield f"page at {offset} garbage", _DATABASE, _replaced(offset, b"\xa5" * 4096)
    for length in list(range(0, size, 2731)) + [1, 99, 100, 511, size - 1]:
        yield f"cut to {length}", _DATABASE, lambda b, n=length: b[:n]
    if clean:
        return
    log = os.path.getsize(f"{_make(clean)}/{_LOG}")
    yield "log garbage", _LOG, lambda b: b"\xa5" * len(b)
    # An emptied log cannot be told from that of a daemon that stopped, nor can one cut between two changes.
    for offset in list(range(0, 32, 4)) + list(range(32, log, 1 + log // 120)):
        yield f"log byte {offset} flipped", _LOG, _flipped(offset)


def _flipped(offset):
    return lambda b: b[:offset] + bytes([b[offset] ^ 0xFF]) + b[offset + 1:] if offset < len(b) else b


def _replaced(offset, piece):
    return lambda b: b[:offset] + piece + b[offset + len(piece):]


def damage(clean, number):
    """Starts a daemon on damaged files; returns (what came of it, violations)."""
    name, file, change = _all[clean][number]
    with Case(_make(clean), with_shim=False) as case:
        path = f"{case.ferry.state}/{file}"
        with open(path, "rb") as stream:
            before = stream.read()
        after = change(before)
        if after == before:
            return None
        with open(path, "wb") as stream:
            stream.write(after)
        try:
            case.ferry.start()
        except ferry.Refused as refused:
            return "refused", list(_refused(case, path, after, refused))
        violations, told = _served(case.ferry, _truths[clean], before, after)
        return ("told" if told else "served whole"), violations


def _refused(case, path, after, refused):
    yield from checks_disk.says_the_way_out(refused)
    with open(path, "rb") as stream:
        if stream.read() != after:
            yield "what was refused was changed"
    # The way out is one: moved away, the daemon starts empty.
    for name in (_DATABASE, _LOG, f"{_DATABASE}-shm"):
        if os.path.exists(f"{case.ferry.state}/{name}"):
            os.rename(f"{case.ferry.state}/{name}", f"{case.directory}/{name}")
    case.ferry.start()
    yield from judge.migrates_afresh(case.ferry)


def _served(daemon, truth, before, after):
    """What is missing is told, by an answer or in the log; and it does not crash over the rest."""
    jobs, sessions, images, journals = truth
    told, violations = False, []
    for path, ids in (("/v1/jobs", jobs), ("/v1/sessions", sessions), ("/v1/images", images)):
        answer = daemon.call("GET", f"{path}?limit=1000")
        if answer.status >= 500 and answer.json and answer.json["code"] == "store-failed":
            told = True
            continue
        if answer.status != 200:
            violations.append(f"GET {path} answers {answer.status}: {answer.text[:200]}")
            continue
        missing = ids - {item["id"] for item in answer.json["items"]}
        if missing:
            told = True
            silent = [m for m in missing if m not in daemon.log()]
            if silent and not _tells_of_the_log(daemon):
                violations.append(f"{path} lacks {silent} and nobody is told: {daemon.log()[-300:]}")
    for job, lines in journals.items():
        answer = daemon.call("GET", f"/v1/jobs/{job}/journal?limit=1000")
        if answer.status != 200:
            told = True
        elif len([i for i in answer.json["items"] if i["line"] != "recovered"]) < lines:
            told = True
            if job not in daemon.log() and not _tells_of_the_log(daemon):
                violations.append(f"the journal of {job} lacks lines and nobody is told")
    if not daemon.is_alive:
        violations.append(f"ferryd died over it: {daemon.log()[-500:]}")
    return violations, told


def _tells_of_the_log(daemon):
    return "write-ahead log" in daemon.log()


def newer_version():
    """A store of a newer ferryd is refused by name."""
    try:
        import sqlite3
    except ImportError:
        raise harness.Skip("this Python has no sqlite3") from None
    with Case(_make(True), with_shim=False) as case:
        database = sqlite3.connect(f"{case.ferry.state}/{_DATABASE}")
        database.execute("INSERT INTO grdb_migrations (identifier) VALUES ('from the future')")
        database.commit()
        database.close()
        try:
            case.ferry.start()
            yield "a store of a newer ferryd is served"
        except ferry.Refused as refused:
            yield from checks_disk.says_the_way_out(refused)
            if "newer ferryd" not in refused.log:
                yield f"the refusal does not name the reason: {refused.log[-300:]}"


_all, _truths = {}, {}


def run(report, share):
    for clean, name in ((True, "a stopped daemon's"), (False, "a killed daemon's")):
        clock = harness.Clock(share / 2)
        _all[clean] = list(damages(clean))
        order = harness.spread(len(_all[clean]))
        violations, tried = {}, 0
        for (_, number), result, broken in harness.tries(damage, [(clean, n) for n in order], clock):
            if result is None and broken is None:
                continue
            tried += 1
            what, wrong = result or ("?", [broken])
            violations.setdefault(what, []).extend(f"{_all[clean][number][0]}: {w}" for w in wrong)
            report.count(TABLE, name, what, len(wrong))
        print(f"{name} store: {tried} of {len(order)} damages tried")
        for what in ("refused", "served whole", "told", "?"):
            if what in violations or what == "refused":
                wrong = violations.get(what, ["none was"])
                report.row(f"{name} store, damaged: {what}, {report.counted(TABLE, name, what)} times", wrong)
    report.check("A store of a newer ferryd is refused by name", newer_version)
