#!/usr/bin/env python3
"""A whole scheduler: claims triggers from Sluice, "runs" them by printing what it would do, and reports.

    SLUICE_URL=http://localhost:8081 SLUICE_KEY=... python3 examples/scheduler.py

Nothing but Python's standard library. What each field means: docs/trigger.md.
"""
import argparse
import json
import os
import socket
import time
import urllib.error
import urllib.request

LEASE_MS = 60_000
HOLDER = f"scheduler.py on {socket.gethostname()}"


def post(path, **body):
    """Sends a report. Each may be sent twice, so that a lost answer is simply asked for again."""
    url = os.environ.get("SLUICE_URL", "http://localhost:8081") + path
    headers = {"Authorization": f"Bearer {os.environ['SLUICE_KEY']}", "Content-Type": "application/json"}
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code != 503:
                raise
            print(f"  ... Sluice cannot be reached ({error.reason}), asking again", flush=True)
            time.sleep(2)


def steps(trigger, seconds):
    """Your work goes here. Yield now and then (well within the lease), so that a heartbeat can be sent."""
    command = "apply" if trigger["run_type"] == "tracked" else "plan"
    print(f"  git fetch {trigger['repository']['clone_urls']['https']} {trigger['checkout']['ref']}", flush=True)
    print(f"  {command} {trigger['checkout']['sha'][:12]} in ./{trigger['target']['project_root']}", flush=True)
    for _ in range(seconds):
        time.sleep(1)
        yield


def handle(trigger, seconds):
    path, token, result = f"/v1/triggers/{trigger['id']}", trigger["lease"]["token"], "succeeded"
    why = trigger["decision"]["sentence"] if trigger["decision"] else "Somebody asked for it."
    print(f"{trigger['target']['name']}: {why}", flush=True)
    try:
        post(f"{path}/start", lease_token=token, lease_ms=LEASE_MS)
        for _ in steps(trigger, seconds):
            if post(f"{path}/heartbeat", lease_token=token, lease_ms=LEASE_MS)["cancel_requested"]:
                result = "canceled"
                break
        post(f"{path}/finish", lease_token=token, result=result)
        print(f"  {result}", flush=True)
    except urllib.error.HTTPError as error:
        # 409: the lease expired, and another holder has it. What we did of it is theirs to sort out.
        print(f"  given up: {json.load(error)['detail']}", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--once", action="store_true", help="run what there is, then end")
    options.add_argument("--idle-exit", type=float, nargs="?", const=2, metavar="SECONDS",
                         help="end after so long with nothing to run (2 if you do not say)")
    options.add_argument("--run-seconds", type=int, default=0, metavar="SECONDS", help="how long a run takes")
    given = options.parse_args()
    exit_after = 0 if given.once else given.idle_exit
    last_work = time.monotonic()
    while True:
        triggers = post("/v1/triggers/claim", holder=HOLDER, limit=1, lease_ms=LEASE_MS)["triggers"]
        for trigger in triggers:
            handle(trigger, given.run_seconds)
            last_work = time.monotonic()
        if not triggers:
            if exit_after is not None and time.monotonic() - last_work >= exit_after:
                return
            time.sleep(1)


if __name__ == "__main__":
    main()
