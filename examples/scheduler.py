#!/usr/bin/env python3
"""A whole scheduler: claims triggers from Sluice, "runs" them by printing, and reports. Standard library only.

    SLUICE_URL=http://localhost:8081 SLUICE_KEY=... python3 examples/scheduler.py [--idle-exit]

What each field means, and what a real one adds (heartbeats in long runs, retries): docs/trigger.md.
"""
import json, os, sys, time, urllib.request


def post(path, **body):
    headers = {"Authorization": f"Bearer {os.environ['SLUICE_KEY']}", "Content-Type": "application/json"}
    request = urllib.request.Request(os.environ["SLUICE_URL"] + path, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))


while True:
    triggers = post("/v1/triggers/claim", holder="scheduler.py", lease_ms=60_000)["triggers"]
    for trigger in triggers:
        report = f"/v1/triggers/{trigger['id']}"
        post(f"{report}/start", lease_token=trigger["lease"]["token"])
        command = "apply" if trigger["run_type"] == "tracked" else "plan"
        print(f"{trigger['target']['name']}: {command} {trigger['target']['project_root']} at {trigger['checkout']['sha'][:12]}")
        post(f"{report}/finish", lease_token=trigger["lease"]["token"], result="succeeded")
    if not triggers and "--idle-exit" in sys.argv:
        break
    time.sleep(0 if triggers else 1)
