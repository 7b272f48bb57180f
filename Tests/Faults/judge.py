"""What must be true whatever went wrong: each rule yields the sentences that tell how it is broken."""

import json
import os
import re

import ferry
from case import SPARE, Settings

RUNS = {"running", "running_p2p", "pre_copy", "pre_copy_p2p"}


class Record:
    """Everything a daemon says of its past."""

    def __init__(self, daemon):
        self.jobs = {j["id"]: j for j in daemon.items("/v1/jobs")}
        self.journals = {j: daemon.journal(j) for j in self.jobs}
        self.sessions = {s["id"]: s for s in daemon.items("/v1/sessions")}
        self.images = {i["id"]: i for i in daemon.items("/v1/images")}
        self.devices = {d["id"]: d for d in daemon.items("/v1/devices")}


def after_restart(daemon, seen, kept=False):
    """Of a daemon that was started on what a dead one left; `kept`: its sessions outlived it."""
    settle(daemon)
    record = Record(daemon)
    for job in record.jobs.values():
        yield from _ended_honestly(job, record.journals[job["id"]], kept)
    yield from _nothing_locked(record)
    yield from _sessions_lost(record, seen, kept)
    yield from _client_was_not_lied_to(record, seen)
    yield from _image_files(daemon, record, seen)


def settle(daemon):
    """A daemon whose devices outlived the last one goes on with its jobs; waits for their ends."""
    for job in daemon.items("/v1/jobs"):
        if job["state"] not in ferry.TERMINAL:
            daemon.finish(job)


def _ended_honestly(job, journal, kept):
    name = f"{job['kind']} {job['id']}"
    lines = [line["line"] for line in journal]
    if job["state"] not in ferry.TERMINAL:
        yield f"{name} is {job['state']}: neither ended nor indeterminate"
        return
    # Once by itself, if the store took it, and once for each time that a person settled it.
    settled = lines.count("resolved")
    if lines[-1] != "finished" or not max(1, settled) <= lines.count("finished") <= 1 + settled:
        yield f"{name}: its journal does not end with one line 'finished': {lines}"
    if [line["sequence"] for line in journal] != list(range(1, len(journal) + 1)):
        yield f"{name}: its journal has gaps"
    committed, aborted = "commit" in lines, "abort" in lines
    if committed and aborted:
        yield f"{name} was committed and aborted"
    if job["state"] in ("failed", "indeterminate") and not job.get("error", {}).get("detail"):
        yield f"{name} is {job['state']} and does not say why"
    if job["state"] == "succeeded":
        yield from _success_is_proven(name, job, journal, committed)
    if committed and job["may_run"] == "source":
        yield f"{name} was committed and says that the source may run"
    if not committed and job["kind"] in ("restore", "migrate") and job["may_run"] == "target":
        yield f"{name} was not committed and says that the target may run"
    if "recovered" in lines and not kept and job["may_run"] in ("source", "target"):
        yield f"{name}: its devices died with the daemon and it says that the {job['may_run']} may run"
    if committed and "recovered" in lines and job["state"] in ("cancelled", "succeeded") and not kept:
        yield f"{name} was committed, its content is lost, and it is {job['state']}"


def _success_is_proven(name, job, journal, committed):
    done = {(line.get("action"), line.get("device"), (line.get("arc") or {}).get("to"))
            for line in journal if line["line"] == "done"}
    targets = [d["device"] for d in job["devices"] if d["side"] == "target"]
    if job["kind"] in ("restore", "migrate"):
        if not committed:
            yield f"{name} succeeded without a commit record"
        for target in targets:
            if ("set", target, "running") not in done:
                yield f"{name} succeeded and {target} was not seen running"
    if job["kind"] == "save" and not job.get("image"):
        yield f"{name} succeeded and names no image"


def _nothing_locked(record):
    for device in record.devices.values():
        holder = device.get("locked_by")
        if not holder:
            continue
        job = record.jobs.get(holder)
        if not job or job["state"] != "indeterminate":
            yield f"{device['id']} is locked by {holder}, which is {job and job['state']}"
        else:
            yield from says_the_way_out(job)


def says_the_way_out(job):
    """An indeterminate job that holds devices says how they are had back."""
    text = json.dumps([job.get("error"), job["warnings"]])
    if not re.search(r"\b(close|resolve|end) ", text, re.I):
        yield f"{job['kind']} {job['id']} holds devices and does not say how to free them: {text[:400]}"


def _sessions_lost(record, seen, kept):
    open_on = {}
    for session in record.sessions.values():
        if session["status"] == "open":
            open_on.setdefault(session["device"], []).append(session["id"])
    for device, sessions in open_on.items():
        if len(sessions) > 1:
            yield f"{device} has the open sessions {sessions}"
    if kept:
        yield from _sessions_kept(record, seen)
        return
    for before in seen.sessions:
        now = record.sessions.get(before["id"])
        if now is None:
            yield f"session {before['id']} is forgotten"
        elif now["status"] == "open":
            yield f"session {before['id']} is said to be open; its device died with the daemon"
        elif now["content"] not in ("lost", "empty"):
            yield f"session {before['id']}: lost content is called {now['content']}"
        elif now["content"] == "empty" and before["content"] != "empty":
            # Only what a job emptied: a target that it reset, a source that it moved away from.
            if not any(d["device"] == now["device"] for j in record.jobs.values() for d in j["devices"]):
                yield f"session {before['id']}: lost content is called empty"


def _sessions_kept(record, seen):
    in_jobs = {d["device"] for j in record.jobs.values() for d in j["devices"]}
    for before in seen.sessions:
        now = record.sessions.get(before["id"])
        if now is None:
            yield f"session {before['id']} is forgotten"
        elif now["device"] not in in_jobs and (now["status"], now["content"]) != ("open", before["content"]):
            yield (f"session {before['id']} of {now['device']} was {before['content']}, its descriptors were kept, "
                   f"and it is {now['status']} and {now['content']}: {now.get('note')}")
        elif now["status"] == "lost" and not _was_closed(record, now["device"]):
            yield f"session {before['id']} of {now['device']} is lost although its descriptors were kept"


def _was_closed(record, device):
    """Whether a job closed it: then its descriptors went before the record of that was written."""
    return any(line.get("action") == "close" and line.get("device") == device
               for journal in record.journals.values() for line in journal)


def _client_was_not_lied_to(record, seen):
    if not seen.job:
        return
    now = record.jobs.get(seen.job["id"])
    if now is None:
        yield f"the job {seen.job['id']} was answered with 202 and is forgotten"
        return
    # What a failing store did not take stands in the warnings.
    stored = not any(re.search(r"\b(disk|store)\b", warning) for warning in seen.job["warnings"])
    if seen.job["state"] in ferry.TERMINAL and stored:
        for field in ("state", "may_run", "image"):
            if seen.job.get(field) != now.get(field):
                yield (f"{now['id']} was told to its client with {field} {seen.job.get(field)} "
                       f"and is {now.get(field)}")
    if now["generation"] < seen.job["generation"] and stored:
        yield f"{now['id']} went back from generation {seen.job['generation']} to {now['generation']}"
    if seen.job["may_run"] == "target" and now["may_run"] == "source":
        yield f"{now['id']} said that the target may run, and says source now"


def _image_files(daemon, record, seen):
    """In the catalogue: whole. Not in it: gone, or whole and told of."""
    directory = f"{daemon.state}/images"
    names = set(os.listdir(directory))
    for image in record.images:
        if image not in names:
            yield f"image {image} is in the catalogue and not on the disk"
    for name in names - set(record.images):
        if "~" in name or not os.path.exists(f"{directory}/{name}/manifest.json"):
            yield f"half an image was left: {name}"
        elif name not in daemon.log():
            yield f"{name} is no image of the catalogue and nobody is told"
    for image in seen.images:
        if image not in record.images and not seen.deletes:
            yield f"image {image} is forgotten"


def images_restore(daemon, record=None):
    """Each image of the catalogue goes into a device and is what was saved."""
    record = record or Record(daemon)
    for image in record.images.values():
        members = [m["device"] for m in image["members"]]
        targets = [f"sim-{n}" for n in range(4, 4 + len(members))]
        answer = daemon.post("/v1/jobs", ferry.restore(image["id"], targets, members))
        if answer.status != 202:
            yield f"image {image['id']} cannot be restored: {answer.text[:400]}"
            continue
        job = daemon.finish(answer.json)
        if job["state"] != "succeeded":
            yield f"image {image['id']} does not restore: {json.dumps(job.get('error'))}"
            continue
        for source, target in zip(members, targets):
            loaded = daemon.device(target)["simulated"].get("stopped_content_digest")
            if loaded != Settings.digests[source]:
                yield f"image {image['id']}: {target} holds {loaded}, saved was {Settings.digests[source]}"


def same_after_another_restart(before, after):
    for job in before.jobs.keys() | after.jobs.keys():
        yield from _same(f"job {job}", before.jobs.get(job), after.jobs.get(job))
        yield from _same(f"the journal of {job}", before.journals.get(job), after.journals.get(job))
    for image in before.images.keys() | after.images.keys():
        yield from _same(f"image {image}", before.images.get(image), after.images.get(image))
    for name, session in before.sessions.items():
        if session["status"] != "open":
            yield from _same(f"session {name}", session, after.sessions.get(name))


def _same(what, before, after):
    """Progress is sampled, and was never promised to last."""
    if isinstance(before, dict) and isinstance(after, dict):
        for field in before.keys() | after.keys():
            if field != "progress" and before.get(field) != after.get(field):
                yield (f"a second restart changes {field} of {what}: {json.dumps(before.get(field))[:300]} "
                       f"to {json.dumps(after.get(field))[:300]}")
    elif before != after:
        yield f"a second restart changes {what}: {json.dumps(before)[-500:]} to {json.dumps(after)[-500:]}"


def migrates_afresh(daemon, pair=SPARE):
    """A daemon that came out of it works."""
    answer = daemon.post("/v1/jobs", ferry.migrate([pair]))
    if answer.status != 202:
        yield f"a fresh migrate is refused: {answer.text[:500]}"
        return
    job = daemon.finish(answer.json)
    if job["state"] != "succeeded" or job["may_run"] != "target":
        yield f"a fresh migrate is {job['state']}, may run {job['may_run']}: {json.dumps(job.get('error'))}"
        return
    left, arrived = (daemon.device(d)["simulated"].get("stopped_content_digest") for d in pair)
    if left != arrived or not left:
        yield f"a fresh migrate moved {left} and {arrived} arrived"
    ready = daemon.call("GET", "/readyz")
    if ready.status != 200:
        yield f"the daemon is not ready: {ready.text[:300]}"


# ---- While the devices live

class Devices:
    """What the devices are, beside what the job says of them."""

    def __init__(self, daemon, job):
        self.job = job
        self.sources = [daemon.device(d["device"]) for d in job["devices"] if d["side"] == "source"]
        self.targets = [daemon.device(d["device"]) for d in job["devices"] if d["side"] == "target"]


def acts(device, content):
    """Whether the device runs with that content."""
    return device.get("vfio_state") in RUNS and device["simulated"]["content_digest"] == content


def live(daemon, job, content):
    """Of a job that ended while its devices live; `content`: what each of them, by its order, began with."""
    found = Devices(daemon, job)
    name = f"{job['kind']} {job['id']} ({job['state']}, may run {job['may_run']})"
    sources = [acts(d, c) for d, c in zip(found.sources, content)]
    targets = [acts(d, c) for d, c in zip(found.targets, content)]
    if job["kind"] == "migrate" and any(s and t for s, t in zip(sources, targets)):
        yield f"{name}: two run: {_told(found)}"
    if job["may_run"] == "source" and job["kind"] in ("migrate", "save"):
        # Of a set one device may have lost its content, and is said to; the others run.
        silent = [d["id"] for d, runs in zip(found.sources, sources) if not runs and d.get("content") != "lost"]
        if silent or not any(sources):
            yield f"{name}: {silent or 'no source'} does not run with its content: {_told(found)}"
    if job["may_run"] == "source" and any(targets):
        yield f"{name}: a target runs: {_told(found)}"
    # A target may have lost what it was given, by an error of its own, and is said to.
    idle = [d for d, runs in zip(found.targets, targets) if not runs and d.get("content") != "lost"]
    if job["may_run"] == "target" and (idle or any(sources) and job["kind"] == "migrate"):
        yield f"{name}: not the target alone runs: {_told(found)}"
    if job["may_run"] == "nobody" and job["kind"] != "reset" and (any(sources) or any(targets)):
        yield f"{name}: somebody runs: {_told(found)}"
    if job["state"] in ("failed", "indeterminate") and not job.get("error", {}).get("detail"):
        yield f"{name} does not say why"
    if job["state"] in ("failed", "cancelled") and job["may_run"] == "unknown":
        yield f"{name} is not indeterminate although nobody knows who may run"
    yield from _locks(found, name)


def _locks(found, name):
    for device in found.sources + found.targets:
        holder = device.get("locked_by")
        if found.job["state"] == "indeterminate":
            if holder and holder != found.job["id"]:
                yield f"{device['id']} of an indeterminate job is locked by {holder}"
        elif holder:
            yield f"{name} has ended and {device['id']} is locked by {holder}"
    if any(d.get("locked_by") for d in found.sources + found.targets):
        yield from says_the_way_out(found.job)


def can_be_freed(daemon, job, content=()):
    """An indeterminate job can be settled, by a person's word or by closing its sessions; then all is free."""
    if job["state"] != "indeterminate":
        return
    way = ("nobody", "close", "target", "source")[int(job["id"][-1], 16) % 4]
    if way == "source" and job["kind"] == "restore":
        way = "nobody"  # it has no source to name
    if way == "close":
        yield from _close_sessions(daemon, {d["device"] for d in job["devices"]})
    elif way != "nobody":
        # Refused where the journal forbids it; then nobody is left.
        answer = daemon.post(f"/v1/jobs/{job['id']}/resolve", {"may_run": way})
        if answer.status in (200, 202):
            job = daemon.finish(answer.json)
            if content:
                yield from live(daemon, job, content)
        elif answer.status != 409:
            yield f"resolve to {way} of {job['id']} answers {answer.status}: {answer.text[:300]}"
    if daemon.get(f"/v1/jobs/{job['id']}")["state"] == "indeterminate":
        answer = daemon.post(f"/v1/jobs/{job['id']}/resolve", {"may_run": "nobody"})
        if answer.status not in (200, 202):
            yield f"resolve to nobody of {job['id']} answers {answer.status}: {answer.text[:300]}"
    for device in (d["device"] for d in job["devices"]):
        if daemon.device(device).get("locked_by"):
            yield f"{device} stays locked although its job was settled ({way})"


def _close_sessions(daemon, devices):
    for session in daemon.items("/v1/sessions"):
        if session["status"] == "open" and session["device"] in devices:
            answer = daemon.call("DELETE", f"/v1/sessions/{session['id']}?discard_content=true")
            if answer.status not in (200, 204):
                yield f"the session of {session['device']} does not close: {answer.text[:300]}"


def reads_work(daemon):
    for path in ("/v1/jobs", "/v1/devices", "/v1/sessions", "/v1/images", "/v1/host", "/healthz"):
        answer = daemon.call("GET", path)
        if answer.status != 200:
            yield f"GET {path} answers {answer.status} while the disk fails: {answer.text[:200]}"


def _told(found):
    return json.dumps([{k: d.get(k) for k in ("id", "vfio_state", "content", "locked_by")}
                       | {"digest": d["simulated"]["content_digest"][:8]} for d in found.sources + found.targets])
