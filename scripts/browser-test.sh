#!/usr/bin/env bash
# Drives the gateway from pages in Chromium. Usage: browser-test.sh path/to/gateway
set -euo pipefail
GATEWAY_BIN=$(realpath "${1:?usage: browser-test.sh path/to/gateway}")
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
export GATEWAY_BIN CHROMIUM
cd "$(dirname "$0")/../tests/browser"
npm ci --silent --no-audit --no-fund
npm test --silent
