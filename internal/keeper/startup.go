// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"einhyrningsins/internal/bind"
	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/ready"
	"einhyrningsins/internal/start"
	"einhyrningsins/internal/version"
)

// exitFailed is the exit status when nothing could be started.
const exitFailed = 1

// firstInherited is the first descriptor that we may have been started with
// by mistake.
const firstInherited = 3

// Log is what the keeper needs of a log.
type Log interface {
	Logger() *slog.Logger
	Flush(timeout time.Duration) bool
	SetLevel(level slog.Level)
}

// Source is what there is to start workers from.
type Source struct {
	First link.Received // what the first generation starts from: a link.Saw
	At    *link.LookAt  // where to look for each generation after it
}

// cleanupTime is what a start that is told to stop has to remove what it made. It
// takes that long only if the disk hangs.
const cleanupTime = time.Second

// Run is the keeper's whole life: everything is bound before anything is
// spawned, or nothing is. It returns the exit status; what cannot be bound, or
// listened to, comes back as an error beside it, to be shown to whoever started us.
func Run(cfg *config.Config, source Source, log Log, signals *Signals) (int, error) {
	k := &keeper{
		cfg: cfg, sys: realSystem{}, log: log.Logger(), setLevel: log.SetLevel,
		started: time.Now(), table: newTable(), caught: map[syscall.Signal]*caughtSignal{},
		steps: make(chan stepped), opened: make(chan opened), binary: config.BinaryPath(os.Args[0], os.Environ()),
		child: make(chan os.Signal, 1), signals: signals,
	}
	signal.Notify(k.child, syscall.SIGCHLD)
	err := signals.During(cleanupTime, func(ctx context.Context) error {
		if err := k.prepare(ctx, source); err != nil {
			return err
		}
		k.niceSelf(ctx)
		return nil
	})
	if isStopped(err) {
		return Stopped(log, err), nil
	}
	if err != nil {
		return exitFailed, err
	}
	platform.ReserveThreads()
	if k.spawner, err = newSpawner(k.sys, k.spawnThreadNice()); err != nil {
		k.log.Warn("cannot set the niceness of workers", "nice", *cfg.Nice.Worker, "error", err)
	}
	code, reason := k.run()
	k.dropLook()
	k.killTasks()
	k.killAllSteps()
	k.letGo()
	level := slog.LevelInfo
	if code != 0 {
		level = slog.LevelError
	}
	k.log.Log(context.Background(), level, "exiting", "status", code, "reason", reason)
	log.Flush(time.Second)
	return code, k.unserved
}

// serve puts to use what was bound, when a first master has made its pool and asks
// for a worker, or for none: nothing of ours can fail any more. Whoever else serves
// the same addresses, or has the same pid file, must notice nothing of a start that
// fails. What cannot be done after all ends everything; false: it does.
func (k *keeper) serve() bool {
	if k.serves || k.stop.at != 0 {
		return true
	}
	if k.unserved = k.claimAll(); k.unserved != nil {
		k.ending = &ending{code: exitFailed, reason: k.unserved.Error(), by: k.sys.now() + patience}
		k.killMaster("the start has failed")
		return false
	}
	k.serves = true
	for _, s := range k.hello.Sockets {
		k.log.Info("listening", "address", s.Address, "spec", s.Spec, "fd", s.FD)
	}
	if err := k.control.Own(); err != nil {
		k.log.Warn(err.Error())
	}
	return true
}

func (k *keeper) claimAll() error {
	if k.pidFile != nil {
		if err := k.pidFile.Put(); err != nil {
			return err
		}
	}
	return bind.Listen(k.sockets)
}

// letGo removes what we have on disk. What stays is for the log: the next start
// may stumble over it.
func (k *keeper) letGo() {
	k.closeSockets()
	for _, err := range []error{k.control.Close(), k.pidFile.Remove()} {
		k.leftBehind(err)
	}
}

// closeSockets closes those of workers; a second time there are none.
func (k *keeper) closeSockets() { k.leftBehind(bind.CloseAll(k.sockets)) }

func (k *keeper) leftBehind(err error) {
	if err != nil {
		k.log.Error("something is left behind", "error", err)
	}
}

// prepare makes all that a first master needs, or leaves nothing behind.
func (k *keeper) prepare(ctx context.Context, source Source) (err error) {
	start.LearnFileLimit()
	k.devNull, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", os.DevNull, err)
	}
	control, dead, err := claim.Lock(k.cfg.SocketPath, k.cfg.LockFile)
	if taken := (*claim.TakenError)(nil); errors.As(err, &taken) && k.cfg.Einhorn {
		return fmt.Errorf("%w, or give this one a NAME of its own with -c", err)
	}
	if err != nil {
		return err
	}
	k.control = control
	if as := k.cfg.Limits.RunAs; as != nil {
		control.ShareWith(as.GID)
	}
	defer func() {
		if err != nil {
			k.letGo()
		}
	}()
	if k.cfg.PidFile != "" {
		if k.pidFile, err = claim.CheckPIDFile(k.cfg.PidFile); err != nil {
			return err
		}
	}
	k.sockets, err = bind.OpenAll(ctx, k.cfg.Binds, k.cfg.Family, k.cfg.Backlog)
	if err != nil {
		return errors.Join(err, dead.Hint())
	}
	if hint := dead.Hint(); hint != nil {
		k.log.Warn(hint.Error())
	}
	if err := control.Open(ctx); err != nil {
		return err
	}
	return k.describe(source)
}

// describe fills in what workers and masters will be told.
func (k *keeper) describe(source Source) error {
	k.contract = childenv.Contract{
		Dialects: k.cfg.Dialects, SockPath: k.cfg.SocketPath, MasterPID: os.Getpid(), SockFD: k.cfg.SockFD,
		ReadyFD: k.cfg.Gives() == ready.Pipe, WatchdogUsec: k.cfg.Watchdog.Microseconds(),
	}
	k.worker = process{files: []uintptr{k.devNull.Fd(), 1, 2}}
	if k.cfg.KillChildren {
		k.worker.orphan = syscall.SIGUSR2 // einhorn's, whatever the graceful signal is
	}
	raw, err := json.Marshal(k.cfg)
	if err != nil {
		return fmt.Errorf("cannot encode the options: %w", err)
	}
	k.hello = link.Hello{
		Version: link.Version, Software: version.Version, KeeperPID: os.Getpid(),
		StartedAt: k.started, Config: raw,
	}
	var names []string
	for i, s := range k.sockets {
		k.worker.files = append(k.worker.files, uintptr(s.FD))
		k.contract.Sockets = append(k.contract.Sockets, childenv.Socket{Name: s.Name, Host: s.Asked(), Address: s.Address})
		names = append(names, s.Name)
		k.hello.Sockets = append(k.hello.Sockets, link.Socket{
			Spec: s.Spec.String(), Address: s.Address, FD: childenv.FirstFD + i,
			Name: s.Name, Network: s.Network,
		})
	}
	if k.arguments, err = k.cfg.Arguments(names); err != nil {
		return err
	}
	if k.probe, err = k.cfg.FindProbe(names); err != nil {
		return err
	}
	for _, l := range k.cfg.Limits.Rlimits {
		if need := uint64(len(k.worker.files) + 1); l.Name == "nofile" && l.Soft < need {
			return fmt.Errorf("cannot give workers %d sockets: with --rlimit nofile=%d they can open nothing beside them; it takes %d and more", len(k.sockets), l.Soft, need)
		}
	}
	k.worker.step = k.stepOrders()
	saw, _ := source.First.Msg.(*link.Saw)
	if err := start.Check(saw, source.First.FDs, source.At.Program); err != nil {
		return err
	}
	first, err := start.Of(1, saw, source.First.FDs)
	if err != nil {
		return err
	}
	first.Env = k.contract.Base(first.Environ, 1)
	k.looks = looks{launches: map[int]*start.Launch{1: first}, newest: 1, at: source.At, limit: lookLimit}
	return nil
}
