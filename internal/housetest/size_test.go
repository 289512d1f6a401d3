// SPDX-License-Identifier: GPL-3.0-or-later

package housetest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// linked is what the daemon is made of beside our own packages and what the
// standard library keeps to itself. Code and its tables are most of the memory
// that keeper and master share: crypto/rand or regexp alone would be 0.2 MB. Add a
// package when it is worth that, and say in docs/benchmarks.md what it costs.
//
// For the same reason structs are sorted by sort.Slice: slices.SortFunc is 20 KB
// more for each kind of struct.
var linked = strings.Fields(`
	bufio bytes cmp container/heap context encoding encoding/base64 encoding/binary encoding/csv encoding/hex encoding/json
	errors flag fmt io io/fs iter log log/slog maps math math/bits net net/netip os os/signal os/user path path/filepath
	reflect runtime runtime/debug slices sort strconv strings sync sync/atomic syscall time unicode unicode/utf16
	unicode/utf8 unique unsafe weak

	github.com/goccy/go-yaml/ast github.com/goccy/go-yaml/lexer github.com/goccy/go-yaml/parser
	github.com/goccy/go-yaml/printer github.com/goccy/go-yaml/scanner github.com/goccy/go-yaml/token
	github.com/google/shlex github.com/spf13/pflag golang.org/x/sys/unix`)

func TestDaemonLinksNothingNew(t *testing.T) {
	list := exec.Command("go", "list", "-buildvcs=false", "-deps", "./cmd/einhyrningsins")
	list.Dir = root
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=") // as it is released
	out, err := list.Output()
	if err != nil {
		t.Fatalf("cannot list what the daemon links: %v", err)
	}
	deps := strings.Fields(string(out))
	for _, pkg := range deps {
		hidden := strings.Contains("/"+pkg+"/", "/internal/") || strings.HasPrefix(pkg, "vendor/") // they come with others
		if !hidden && !strings.HasPrefix(pkg, module+"/") && !slices.Contains(linked, pkg) {
			t.Errorf("the daemon links %s, which it did without so far: is it worth its memory?", pkg)
		}
	}
	for _, pkg := range linked {
		if !slices.Contains(deps, pkg) {
			t.Errorf("the daemon does without %s now: take it off the list", pkg)
		}
	}
}
