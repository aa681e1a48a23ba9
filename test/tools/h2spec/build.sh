#!/bin/sh
# Builds the pinned h2spec, the conformance suite of HTTP/2, into .cache/bin/h2spec from the
# Go module proxy, checked against Go's checksum database. Does nothing when it is there.
# go.mod pins what it is built from, since h2spec itself does not.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
bin=$root/.cache/bin
[ ! -x "$bin/h2spec" ] || exit 0

# Any Go that is there; Debian's when there is none.
go=/usr/local/go/bin/go
if command -v go >/dev/null; then
	go=go
elif [ ! -x "$go" ]; then
	"$root/deploy/local/setup" k6
	go=go
fi
mkdir -p "$bin"
work=$(mktemp -d "$root/.cache/h2spec-XXXXXX")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
cp "$here/go.mod" "$work"
export GOMODCACHE="$work/mod" GOCACHE="$work/build" GOPATH="$work/path"
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
(cd "$work" && "$go" build -trimpath -ldflags "-s -w" -o h2spec \
	github.com/summerwind/h2spec/cmd/h2spec)
mv "$work/h2spec" "$bin/h2spec"
