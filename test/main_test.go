// SPDX-License-Identifier: GPL-3.0-or-later

// Package test shows the whole program at work: each script in testdata runs
// the real daemon with real workers, clients and signals, and says in its name
// and first lines what it shows.
//
// Scripts are written in testscript's language with commands of our own, all
// listed in commands below. A daemon gets a name by which the other commands
// know it; a process is named NAME (the keeper), master:NAME,
// worker:NAME:INDEX, @FILE that holds its
// pid, or the pid itself. Every wait is for a state, and gives up
// after patience.
//
// daemon_test.go starts daemons and ends all that a script has left behind,
// launch_test.go gives a daemon an odd start, scarce_linux_test.go takes away what it
// needs, hand_test.go gives it sockets from elsewhere, worker_test.go is the program
// that daemons run, control_test.go and status_test.go speak to the control
// socket, signal_test.go names and signals processes, load_test.go sends
// requests, proc_test.go looks at processes from outside, reload_test.go replaces
// masters, master_test.go is a bad one, notify_linux_test.go is a worker that knows systemd only, or lies, and storm_test.go holds the commands that kill and disturb many times over.
package test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait. It is long, because a busy machine is no fault
// of the daemon's.
const patience = 40 * time.Second

// binaries is where the daemon and its shell were built for this run.
var binaries string

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each exit takes a second
	testscript.Main(built{m}, map[string]func(){
		"tworker": func() { os.Exit(workerMain(os.Args[1:])) },
		"tlaunch": func() { os.Exit(launchMain(os.Args[1:])) },
		"tget":    func() { os.Exit(getMain(os.Args[1:])) },
		"tudp":    func() { os.Exit(udpMain(os.Args[1:])) },
		"tsay":    func() { os.Exit(sayMain(os.Args[1:])) },
		"tnotify": func() { os.Exit(notifyMain(os.Args[1:])) },

		"tflight":  func() { os.Exit(flightMain(os.Args[1:])) },
		"tlease":   func() { os.Exit(leaseMain(os.Args[1:])) },
		masterName: func() { os.Exit(masterMain()) },
	})
}

// built builds the programs before the tests run.
type built struct{ m *testing.M }

func (b built) Run() int {
	dir, err := os.MkdirTemp("", "einhyrn-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	args := []string{"build", "-buildvcs=false", "-o", dir + "/"}
	if runtime.GOARCH == "amd64" { // as in the Makefile
		args = append(args, "-ldflags", "einhyrningsins/cmd/einhyrningsins=-E einhyrningsins/internal/entry.first")
	}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../cmd/...")...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot build the programs under test:", err)
		return 1
	}
	binaries = dir
	for name, program := range map[string]string{"einhorn": "einhyrningsins", "einhornsh": "einhyrningsinsctl"} {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// Scripts wait more than they work. Flags of the command line come later.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return b.m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setup(t, env) },
		Condition:           condition,
		Cmds:                commands,
	})
}

// commands are those that scripts have beside testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"daemon":      cmdDaemon,      // daemon [how it starts…] NAME ARG…: start it, wait until it answers
	"waitexit":    cmdWaitExit,    // waitexit NAME STATUS
	"exits":       cmdExits,       // exits STATUS COMMAND ARG…: run it, assert its exit status
	"waitlog":     cmdWaitLog,     // [!] waitlog NAME REGEXP: in its log, or now not in it
	"waitout":     cmdWaitOut,     // the same for what its workers print
	"leastready":  cmdLeastReady,  // leastready NAME N: by its log, never fewer were ready once so many were
	"lastlog":     cmdLastLog,     // lastlog NAME REGEXP: the last line of a daemon that has ended
	"waitfile":    cmdWaitFile,    // waitfile FILE
	"readlog":     cmdReadLog,     // readlog NAME: begin to read the stderr that was full
	"nothingleft": cmdNothingLeft, // nothingleft NAME: no process, no socket, no pid file

	"status":     cmdStatus,     // status NAME: print the status as indented JSON
	"waitstatus": cmdWaitStatus, // waitstatus NAME KEY=VALUE…: see status_test.go
	"request":    cmdRequest,    // request [-eof] NAME LINE…: send lines, print the answers
	"ask":        cmdAsk,        // ask TAG NAME LINE: send, wait for the first line of the answer only
	"answer":     cmdAnswer,     // answer TAG: wait for the last line, print them all

	"signal":    cmdSignal,    // signal SIGNAL PROCESS…
	"handles":   cmdHandles,   // handles NAME: wait until none is ignored any more
	"insist":    cmdInsist,    // insist SIGNAL NAME REGEXP: send it until the log says so
	"remember":  cmdRemember,  // remember VARIABLE PROCESS: put its pid into a variable
	"gone":      cmdGone,      // gone PROCESS…: wait until they have ended
	"reaped":    cmdReaped,    // reaped PROCESS: wait until there is no such process, not even an ended one
	"alive":     cmdAlive,     // alive PROCESS…: they have not
	"waitstate": cmdWaitState, // waitstate PROCESS LETTER: as in proc(5)
	"waitage":   cmdWaitAge,   // waitage PROCESS DURATION: wait until it is that old

	"load":    cmdLoad,    // load [-conns N] [-new PART] [-rate N] NAME: begin to send requests
	"unload":  cmdUnload,  // unload NAME: end it; not one may be lost
	"answers": cmdAnswers, // answers NAME REGEXP: ask on new connections until an answer matches
	"visit":   cmdVisit,   // visit TAG NAME: connect and send nothing; $TAG_addr is where from
	"visitor": cmdVisitor, // visitor TAG REGEXP|cut: now ask, and match the answer; or it was cut

	"echoes": cmdEchoes, // echoes NAME COUNT REGEXP: send datagrams; each is answered like this

	"proc":     cmdProc,     // proc status|env|limits|stat|nice|cmdline|cwd|exe PROCESS: print it
	"waitfds":  cmdWaitFDs,  // waitfds PROCESS FILE: wait until it has just these open
	"countfds": cmdCountFDs, // countfds TAG PROCESS: wait until it has no more than when it was asked first
	"nonblock": cmdNonblock, // [!] nonblock PROCESS FD: whether O_NONBLOCK is set

	"otherversion": cmdOtherVersion, // otherversion FILE VERSION: build the daemon as another version
	"upgrades":     cmdUpgrades,     // upgrades NAME TIMES done|CODE: all end so, and the keeper has nothing more afterwards
	"reloads":      cmdReloads,      // reloads NAME TIMES: new masters, and nothing else may change

	"killmaster":  cmdKillMaster,  // killmaster NAME [TIMES]: KILL it, wait for the next one
	"upgradekill": cmdUpgradeKill, // upgradekill NAME TIMES: upgrades with the master killed at ever later points
	"hostile":     cmdHostile,     // hostile NAME COUNT: bad clients, all at once
	"storm":       cmdStorm,       // storm NAME STEPS SEED: much at once
}

func setup(t *testing.T, env *testscript.Env) error {
	env.Setenv("PATH", binaries+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv("BIN", binaries)
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	env.Setenv("ROOT", root)
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("HOME", env.WorkDir)
	// Three quarters of loopback addresses that no other run of the tests has.
	env.Setenv("NET", fmt.Sprintf("127.%d.%d", 1+os.Getpid()/250%250, 1+os.Getpid()%250))
	if err := setNiceness(env); err != nil {
		return err
	}
	// Workers of other users must be able to reach the control socket.
	if err := os.Chmod(filepath.Dir(env.WorkDir), 0o711); err != nil {
		return err
	}
	f := newFixture(t, env)
	env.Values[fixtureKey{}] = f
	env.Defer(f.close)
	return nil
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "ipv6":
		return canIPv6(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}
