#!/bin/sh
# Starts the browser for its driver, which gives the options. The driver waits for an open page, and a
# headless shell opens none by default.
exec "$CHROMIUM" "$@" about:blank
