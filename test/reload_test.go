// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"context"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/client"
)

// otherVersions are built once for all scripts.
var otherVersions = struct {
	sync.Mutex
	built map[string]string
}{built: map[string]string{}}

// cmdOtherVersion builds the daemon as another version, and copies it.
func cmdOtherVersion(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "otherversion FILE VERSION")
	otherVersions.Lock()
	defer otherVersions.Unlock()
	binary := otherVersions.built[args[1]]
	if binary == "" {
		binary = filepath.Join(binaries, "einhyrningsins-"+args[1])
		words := []string{"build", "-buildvcs=false", "-ldflags", "-X einhyrningsins/internal/version.Version=" + args[1], "-o", binary}
		if raceEnabled {
			words = append(words, "-race")
		}
		out, err := exec.Command("go", append(words, "../cmd/einhyrningsins")...).CombinedOutput()
		if err != nil {
			ts.Fatalf("cannot build version %s: %v: %s", args[1], err, out)
		}
		otherVersions.built[args[1]] = binary
	}
	ts.Check(exec.Command("cp", binary, ts.MkAbs(args[0])).Run())
}

// cmdReloads reloads many times on one connection. The master is another one
// each time; keeper and workers stay.
func cmdReloads(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 2 && !neg, "reloads NAME TIMES")
	d := fixtureOf(ts).daemon(ts, args[0])
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	defer cancel()
	c, err := client.Dial(ctx, d.sock)
	ts.Check(err)
	defer c.Close()
	before, err := c.Status(ctx)
	ts.Check(err)
	for i := range count(ts, args[1]) {
		if _, err := c.Reload(ctx); err != nil {
			ts.Fatalf("reload %d: %v", i, err)
		}
		after, err := c.Status(ctx)
		ts.Check(err)
		if after.MasterPID == before.MasterPID {
			ts.Fatalf("reload %d: the master is still %d", i, after.MasterPID)
		}
		before.MasterPID = after.MasterPID
		if diff := cmp.Diff(pidsOf(before), pidsOf(after)); diff != "" {
			ts.Fatalf("reload %d changed processes (-before +after):\n%s", i, diff)
		}
	}
}

// pidsOf are all processes: the keeper, the master, the workers.
func pidsOf(st *client.Status) []int {
	pids := []int{st.PID, st.MasterPID}
	for _, w := range st.Workers {
		pids = append(pids, w.PID)
	}
	return pids
}
