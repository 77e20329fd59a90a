#!/bin/sh
# Takes pictures of a report with headless Chromium: light, dark, and at the width of a phone.
#   usage: scripts/screenshots.sh REPORT.html FOLDER [HEIGHT]
set -eu

report=$(readlink -f "$1")
out=$2
height=${3:-5200}
mkdir -p "$out"

# shoot NAME WIDTH ADDRESS [FLAG]
shoot() {
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --screenshot="$out/$1.png" \
        --window-size="$2,$height" ${4:+"$4"} "$3" 2>/dev/null
}

# A window cannot be narrower than 500 pixels, a frame in it can.
frame=$(mktemp --suffix=.html)
trap 'rm -f "$frame"' EXIT
echo "<body style='margin:0'><iframe src='file://$report' style='border:0;width:390px;height:${height}px'></iframe>" > "$frame"

shoot light 1120 "file://$report"
shoot dark 1120 "file://$report" --force-dark-mode
shoot phone 500 "file://$frame"
