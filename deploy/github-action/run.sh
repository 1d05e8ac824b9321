#!/usr/bin/env bash
# What the action does: installs keywatch from the action's own checkout, unless KEYWATCH names one
# that is there, and scans. The step fails with keywatch's own exit code.
set -euo pipefail

if [ -z "${KEYWATCH:-}" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keywatch needs Python 3.11 or newer: put actions/setup-python before it")'
    python3 -m venv "$RUNNER_TEMP/keywatch"
    "$RUNNER_TEMP/keywatch/bin/python" -m pip install --quiet "$GITHUB_ACTION_PATH/../.."
    KEYWATCH="$RUNNER_TEMP/keywatch/bin/keywatch"
fi

start=("$KEYWATCH")
[ -z "$INPUT_CONFIG" ] || start+=(--config "$INPUT_CONFIG")
asked=(--confidence "$INPUT_CONFIDENCE" --report "sarif=$INPUT_SARIF")
asked+=(--report "markdown=$GITHUB_STEP_SUMMARY")
[ -z "$INPUT_SINCE" ] || asked+=(--since "$INPUT_SINCE")
[ -z "$INPUT_BASELINE" ] || asked+=(--baseline "$INPUT_BASELINE")
[ -z "$INPUT_IGNORE_FILE" ] || asked+=(--ignore-file "$INPUT_IGNORE_FILE")
[ "$INPUT_INLINE_IGNORES" = true ] || asked+=(--no-inline-ignores)

code=0
"${start[@]}" scan "${asked[@]}" -- "$INPUT_TARGET" || code=$?
{
    echo "sarif=$INPUT_SARIF"
    echo "exit-code=$code"
} >>"$GITHUB_OUTPUT"
exit "$code"
