#!/bin/sh
# Builds the pinned k6 into .cache/bin/k6 from the Go module proxy, checked against Go's
# checksum database. Does nothing when it is there. A Go that is too old for k6 (or none)
# is no obstacle: any Go since 1.21 fetches the toolchain that k6 names by itself, and for
# Debian 12's 1.19 this script fetches it the same way. Sources and caches (1 GB) are
# removed afterwards.
set -eu

K6_VERSION=1.8.1
GO_VERSION=1.25.12 # what k6's go.mod names

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.cache/bin
work=$root/.cache/k6-build

if [ -x "$bin/k6" ] && "$bin/k6" version 2>/dev/null | grep -q "v$K6_VERSION"; then
	exit 0
fi

say() { echo "k6: $*" >&2; }

fail() {
	say "$*"
	exit 1
}

unreachable() {
	fail "that failed (see above). Check the network, or name a module proxy with GOPROXY"
}

# Any Go that is there; Debian's when there is none.
find_go() {
	for go in go /usr/local/go/bin/go; do
		! command -v "$go" >/dev/null || return 0
	done
	go=go
	"$root/deploy/local/setup" k6
}

# True when Go `$1` is at least 1.21, which fetches newer toolchains itself.
switches_toolchains() {
	minor=$("$1" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
	[ "${minor:-0}" -ge 21 ]
}

fetch_toolchain() {
	module=golang.org/toolchain@v0.0.1-go$GO_VERSION.linux-$("$go" env GOARCH)
	say "fetching Go $GO_VERSION ($module)"
	(cd "$work" && "$go" mod download "$module") || unreachable
	chmod -R u+w "$GOMODCACHE/golang.org"
	chmod +x "$GOMODCACHE/$module"/bin/* "$GOMODCACHE/$module"/pkg/tool/*/*
	go=$GOMODCACHE/$module/bin/go
	unset GOROOT # it would be the old one's
}

remove_work() {
	[ ! -d "$work" ] || chmod -R u+w "$work" && rm -rf "$work"
}

find_go
remove_work
mkdir -p "$bin" "$work"
trap remove_work EXIT
trap 'exit 130' HUP INT TERM
export GOMODCACHE="$work/mod" GOCACHE="$work/build" GOPATH="$work/path" GOBIN="$work/bin"
export GOFLAGS=-mod=mod GOWORK=off GOTOOLCHAIN=auto CGO_ENABLED=0

switches_toolchains "$go" || fetch_toolchain
say "building k6 $K6_VERSION (about two minutes on two cores, once)"
(cd "$work" && "$go" install -trimpath -ldflags "-s -w" "go.k6.io/k6@v$K6_VERSION") ||
	unreachable
mv "$GOBIN/k6" "$bin/k6"
say "$("$bin/k6" version)"
