#!/usr/bin/env bash
# Puts the programs that peers.py compares with into DIR, and starts none of them:
#   peers.sh DIR
# fail2ban from Debian's archive; Benthos as the Go library that it is, with its core components.
set -euo pipefail
mkdir -p "${1:?folder}"; cd "$1"

if [ ! -x fail2ban/usr/bin/fail2ban-regex ]; then
  apt-get download -qq fail2ban
  dpkg -x fail2ban_*.deb fail2ban
  rm fail2ban_*.deb
fi
if [ ! -x benthos ]; then
  mkdir -p source; cd source
  cat >main.go <<'END'
package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func main() { service.RunCLI(context.Background()) }
END
  [ -f go.mod ] || go mod init example.com/benthos
  go get github.com/redpanda-data/benthos/v4/public/service@v4.60.0
  go mod tidy
  go build -o ../benthos .
fi
