#!/usr/bin/env python3
"""Waits until Prometheus reaches every target, then asks it every query of the dashboards and for
every metric of the alerts, and looks that each gives data. Usage: compose-queries.py http://127.0.0.1:9090"""

import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 90
DEPLOY = pathlib.Path(__file__).parent.parent / "deploy"


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def queries():
    for file in sorted(DEPLOY.glob("grafana/dashboards/*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == "prometheus":
                    text = target["expr"].replace("$__rate_interval", "1m")
                    yield f"{file.stem}: {panel['title']}", text.replace("$service", "sql-rest")
    rules = (DEPLOY / "prometheus/rules.yml").read_text()
    for metric in sorted(set(re.findall(r"\b(?:up|(?:http|dependency|pg|redis|email)_[a-z_]+)(?=\{|\[| ==|\)| \/)", rules))):
        yield "alerts", f"count({metric})"


def jobs():
    return re.findall(r"job_name: (\S+)", (DEPLOY / "prometheus/prometheus.yml").read_text())


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
        found = {target["labels"]["job"] for target in targets}
        return wrong or [f"no target for {name}" for name in jobs() if name not in found]

    def without_data():
        return [f"no data: {name}: {query}" for name, query in queries() if not ask(base, "query", query=query)["result"]]

    until_true(unreached)
    targets = ask(base, "targets", state="active")["activeTargets"]
    print(f"Prometheus reaches {len(targets)} targets:", ", ".join(sorted(t["scrapeUrl"] for t in targets)))
    until_true(without_data)
    print(f"all {len(list(queries()))} queries of dashboards and alerts give data")


if __name__ == "__main__":
    main()
