// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"fmt"
	"math/rand/v2"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"einhyrningsins/internal/wire"
)

// cmdStorm does so many things to a daemon, one after the other without waiting
// for what comes of them: kills workers and masters, stops and continues
// masters, begins upgrades, changes the number. What it does follows from the
// seed; when it strikes does not.
func cmdStorm(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, len(args) == 3 && !neg, "storm NAME STEPS SEED")
	d := fixtureOf(ts).daemon(ts, args[0])
	random := rand.New(rand.NewPCG(uint64(count(ts, args[2])), 0))
	for range count(ts, args[1]) {
		var st *wire.Status
		eventually(ts, "a master answers", func() (bool, string) {
			var err error
			st, err = askStatus(d.sock)
			return err == nil, fmt.Sprint(err)
		})
		d.strike(ts, random, st)
	}
}

// strike does one thing. That a process is gone by now, or the master with the
// connection, is part of the game.
func (d *daemon) strike(ts *testscript.TestScript, random *rand.Rand, st *wire.Status) {
	say := func(line string) {
		if t, err := dialControl(d.sock); err == nil {
			defer t.conn.Close()
			if t.send(line) == nil {
				_ = t.hear()
			}
		}
	}
	switch op := random.IntN(12); {
	case op < 3 && len(st.Workers) > 0:
		_ = syscall.Kill(st.Workers[random.IntN(len(st.Workers))].PID, syscall.SIGKILL)
	case op < 5:
		_ = syscall.Kill(st.MasterPID, syscall.SIGKILL)
	case op < 6: // what happens meanwhile is for the next master
		_ = syscall.Kill(st.MasterPID, syscall.SIGSTOP)
		if len(st.Workers) > 0 {
			_ = syscall.Kill(st.Workers[0].PID, syscall.SIGKILL)
		}
		_ = syscall.Kill(d.cmd.Process.Pid, syscall.SIGHUP)
		_ = syscall.Kill(st.MasterPID, []syscall.Signal{syscall.SIGCONT, syscall.SIGKILL}[random.IntN(2)])
	case op < 8:
		say(`{"command":"upgrade"}`)
	case op < 9:
		say(`{"command":"upgrade","args":["fleet"],"id":1}`)
	case op < 10:
		_ = syscall.Kill(d.cmd.Process.Pid, syscall.SIGHUP)
	default:
		say(fmt.Sprintf(`{"command":"set_workers","args":["%d"]}`, 1+random.IntN(5)))
	}
	ts.Logf("generation %d, upgrade %s, %d workers", st.Generation, st.Upgrade.State, len(st.Workers))
}
