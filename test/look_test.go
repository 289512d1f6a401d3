// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdUpgrades upgrades many times, each to its end, with this outcome: done, or
// an error's code. Afterwards the keeper has no descriptor and no child more
// than after the first.
func cmdUpgrades(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3 && !neg, "upgrades NAME TIMES done|CODE")
	d := fixtureOf(ts).daemon(ts, args[0])
	want := "Upgrade done"
	if args[2] != "done" {
		want = `"code":"` + args[2] + `"`
	}
	t, err := dialControl(d.sock)
	ts.Check(err)
	defer t.conn.Close()
	var before belongings
	for i := range count(ts, args[1]) {
		ts.Check(t.send(fmt.Sprintf(`{"command":"upgrade","id":%d}`, i)))
		ts.Check(t.finish())
		lines := strings.Split(strings.TrimSpace(t.text()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, want) {
			ts.Fatalf("upgrade %d ended with %s, want %s", i, last, want)
		}
		if i == 0 {
			eventually(ts, "old workers are gone", func() (bool, string) {
				st, err := askStatus(d.sock)
				return err == nil && len(st.Workers) == st.Number, fmt.Sprint(st, err)
			})
			before = d.belongings(ts)
		}
	}
	// Something may just have been on its way out before.
	eventually(ts, fmt.Sprintf("the keeper has no more than before: %+v", before), func() (bool, string) {
		now := d.belongings(ts)
		return now.fds <= before.fds && now.children <= before.children, fmt.Sprintf("%+v", now)
	})
}

// belongings are how many descriptors and children a keeper has.
type belongings struct{ fds, children int }

func (d *daemon) belongings(ts *testscript.TestScript) belongings {
	pid := d.cmd.Process.Pid
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	ts.Check(err)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	ts.Check(err)
	children := 0
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err == nil { // threads may end
			children += len(strings.Fields(string(b)))
		}
	}
	return belongings{len(fds), children}
}
