// SPDX-License-Identifier: GPL-3.0-or-later

// Package master is the brain: it tells the pool what happens and carries out
// what the pool decides. It owns no process and no socket for good; when it is
// killed, the keeper starts another, which goes on where it was.
//
// The way through: this file takes the hello and makes a pool of it. loop.go is
// the one goroutine that owns everything, reload.go takes over from a living
// master and hands over to the next. news.go turns the keeper's messages
// into events, calls.go and one file a group of verbs turn clients' requests
// into events and answers, actions.go carries out what the pool asks for, and
// holds answers back until what they speak of is done. happened.go makes events of
// what people may want to know, and lists who reads them: notes.go for the log,
// follow.go for clients that watch an upgrade, events.go for those that ask.
package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/config"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/pool"
	"einhyrningsins/internal/version"
)

// Log is what the master needs of a log.
type Log interface {
	Logger() *slog.Logger
	Flush(timeout time.Duration) bool
	SetLevel(level slog.Level)
}

// helloTimeout bounds the opening, in case this was not started by a keeper.
const helloTimeout = 20 * time.Second

// opening is all that the keeper says at first.
type opening struct {
	hello    link.Hello
	cfg      config.Config
	children []link.Child
	channels map[uint64][]channel // what workers have to speak to us by, by serial
	listener *os.File
	from     *os.File // where the old master hands over; nil: there is none
	handed   handed   // what it handed over
}

// Run is the master's whole life. linkFile is its end of the link. newLog makes
// the log once the options are known. It returns when the link closes, or when
// the keeper was asked to end.
func Run(linkFile *os.File, newLog func(*config.Config) Log) error {
	conn, err := link.New(linkFile)
	if err != nil {
		return fmt.Errorf("cannot use the link to the keeper: %w", err)
	}
	defer conn.Close()
	conn.Send(&link.Greet{Oldest: link.Oldest, Version: link.Version, Software: version.Version, Pongs: true})
	open, err := takeOpening(conn)
	if err != nil {
		return err
	}
	if open.from != nil {
		if open.handed, err = takeOver(open.from); err != nil {
			return err
		}
	}
	changes, warnings := takeChanges(&open.hello, &open.cfg)
	log := newLog(&open.cfg)
	for _, w := range warnings {
		log.Logger().Warn(w)
	}
	conn.Watch(func(refused error) {
		if refused != nil {
			log.Logger().Error("cannot write to the keeper for now; trying again", "error", refused)
		} else {
			log.Logger().Info("the keeper can be written to again")
		}
	})
	l := newLoop(open, conn, log)
	l.changes = changes
	if err := l.openControl(open); err != nil {
		return err
	}
	if err := l.goOn(open); err != nil {
		return err
	}
	if !l.awaitLead() {
		return nil
	}
	l.control.Resume()
	l.heard.Resume()
	l.run()
	return nil
}

func takeOpening(conn *link.Conn) (*opening, error) {
	timeout := time.NewTimer(helloTimeout)
	defer timeout.Stop()
	o := &opening{}
	for {
		select {
		case <-timeout.C:
			return nil, errors.New("cannot start: the keeper does not say hello")
		case in, ok := <-conn.In():
			if !ok {
				return nil, fmt.Errorf("cannot start: the keeper is gone: %w", conn.Err())
			}
			done, err := o.take(in)
			if err != nil || done {
				return o, err
			}
		}
	}
}

func (o *opening) take(in link.Received) (done bool, err error) {
	switch m := in.Msg.(type) {
	case *link.Hello:
		o.hello = *m
		if m.Version < link.Oldest || m.Version > link.Version {
			return false, fmt.Errorf("cannot start: the keeper speaks version %d of the link, this master %d to %d", m.Version, link.Oldest, link.Version)
		}
		if err := json.Unmarshal(m.Config, &o.cfg); err != nil {
			return false, fmt.Errorf("cannot read the options: %w", err)
		}
		switch {
		case len(in.FDs) == 2 && m.Reload:
			o.from = os.NewFile(uintptr(in.FDs[1]), "handover")
		case len(in.FDs) != 1 || m.Reload:
			return false, fmt.Errorf("cannot start: the keeper sent %d descriptors with its hello", len(in.FDs))
		}
		o.listener, err = listenerOf(in.FDs[0])
		return false, err
	case *link.Child:
		o.children = append(o.children, *m)
		o.takeChannels(m, in.FDs)
	case *link.Begin:
		if o.listener == nil || len(o.children) != o.hello.Children {
			return false, errors.New("cannot start: the keeper's hello is not whole")
		}
		return true, nil
	}
	return false, nil
}

func listenerOf(fd int) (*os.File, error) {
	unix.CloseOnExec(fd)
	addr, err := unix.Getsockname(fd)
	if _, ok := addr.(*unix.SockaddrUnix); err == nil && !ok {
		err = errors.New("it is no unix socket")
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot use the control socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "control socket"), nil
}

// settingsOf is what the pool needs of the options.
func settingsOf(c *config.Config) pool.Settings {
	return pool.Settings{
		AckManual: c.AckManual, AckTime: c.AckTime, AckTimeout: c.AckTimeout,
		Retries: c.Retries, UpgradeRetries: c.UpgradeRetries,
		Seconds: c.Seconds, MaxUnacked: c.MaxUnacked, MaxUpgradeAdditional: c.MaxUpgradeAdditional,
		GracefulSignal: pool.Signal(c.GracefulSignal),
		DrainTimeout:   c.DrainTimeout, KillTimeout: c.KillTimeout, SignalTimeout: c.SignalTimeout, Watchdog: c.Watchdog,
	}
}

// poolOf makes the pool: a new one, or one that goes on. lost is not "" when
// what was under way could not be carried on.
func poolOf(o *opening) (p *pool.Pool, lost string) {
	set, next := settingsOf(&o.cfg), o.hello.NextSerial
	if o.hello.Masters == 0 || o.hello.Saved == nil && o.hello.Rebuild == "" && len(o.children) == 0 {
		return pool.New(set, o.cfg.Number, next), ""
	}
	children, err := childrenOf(o)
	var st pool.State
	switch {
	case o.hello.Rebuild != "":
		err = errors.New(o.hello.Rebuild)
	case err != nil:
	default:
		if err = json.Unmarshal(o.hello.Saved, &st); err == nil {
			err = st.Check()
		}
		if err != nil {
			err = fmt.Errorf("the saved state cannot be read: %w", err)
		}
	}
	if err != nil {
		return pool.Rebuild(set, intentOf(o), children, next), err.Error()
	}
	return pool.Restore(set, st, children, next), ""
}

// childrenOf is the keeper's table as the pool takes it. It is whole also
// beside an error, which tells of something saved that cannot be read.
func childrenOf(o *opening) (children []pool.Child, err error) {
	for _, c := range o.children {
		child := pool.Child{
			Serial: c.Serial, Generation: c.Generation, Index: c.Index, PID: c.PID,
			OrderedAt: c.OrderedAt, StartedAt: c.StartedAt, ReadyAt: c.ReadyAt,
			Level: pool.Level(c.Level), SignalAt: c.SignalAt, Refused: refusedWhy(c.Refused),
			Certain: o.handed.whole,
		}
		if c.Saved != nil {
			w := &pool.Worker{}
			if jerr := json.Unmarshal(c.Saved, w); jerr != nil {
				err = fmt.Errorf("what was saved of worker %d cannot be read: %w", c.PID, jerr)
			} else {
				child.Saved = w
			}
		}
		children = append(children, child)
	}
	return children, err
}

// intentOf is what even a pool that is rebuilt needs to know, and no worker
// can tell: how many are wanted, and whether we are stopping. It is read from
// a saved state that must not be relied upon, and taken only if it is sound.
func intentOf(o *opening) pool.Intent {
	intent := pool.Intent{Number: o.cfg.Number, Generation: newestLaunch(o.hello.Launches)}
	var number struct {
		Number int `json:"number"`
	}
	if json.Unmarshal(o.hello.Saved, &number) == nil && number.Number >= 1 && number.Number <= config.MaxNumber {
		intent.Number = number.Number
	}
	var stop struct {
		Stop pool.Stop `json:"stop"`
	}
	if json.Unmarshal(o.hello.Saved, &stop) == nil && stop.Stop.Check() == nil {
		intent.Stop = stop.Stop
	}
	return intent
}
