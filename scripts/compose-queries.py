#!/usr/bin/env python3
"""Waits until Prometheus reaches every target, then asks it every query of the dashboards and looks
that each gives data. Usage: compose-queries.py http://127.0.0.1:9090"""

import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 90
DASHBOARDS = pathlib.Path(__file__).parent.parent / "deploy/grafana/dashboards"


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def queries():
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == "prometheus":
                    text = target["expr"].replace("$__rate_interval", "1m")
                    yield f"{file.stem}: {panel['title']}", text.replace("$service", "sql-rest")


def until_true(look):
    """Calls `look`, which gives what is still wrong, until that is nothing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            wrong = look()
        except OSError as error:
            wrong = [str(error)]
        if not wrong:
            return
        if time.monotonic() > deadline:
            sys.exit("\n".join(wrong))
        time.sleep(1)


def main():
    base = sys.argv[1]

    def unreached():
        targets = ask(base, "targets", state="active")["activeTargets"]
        wrong = [f"{t['scrapeUrl']}: {t['lastError']}" for t in targets if t["health"] != "up"]
        jobs = {target["labels"]["job"] for target in targets}
        return wrong or [f"no target for {name}" for name in ("gateway", "sql-rest", "postgres") if name not in jobs]

    def without_data():
        return [f"no data: {name}: {query}" for name, query in queries() if not ask(base, "query", query=query)["result"]]

    until_true(unreached)
    targets = ask(base, "targets", state="active")["activeTargets"]
    print(f"Prometheus reaches {len(targets)} targets:", ", ".join(sorted(t["scrapeUrl"] for t in targets)))
    until_true(without_data)
    print(f"all {len(list(queries()))} queries of the dashboards give data")


if __name__ == "__main__":
    main()
