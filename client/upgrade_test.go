// SPDX-License-Identifier: MIT

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"einhyrningsins/internal/wire"

	"github.com/google/go-cmp/cmp"
)

func step(generation, ready int, event string) wire.Progress {
	return wire.Progress{Generation: generation, State: wire.UpgradeRunning, Ready: ready, Number: 2, Event: event}
}

func over(generation int, state string) wire.Progress {
	return wire.Progress{Generation: generation, State: state, Ready: 2, Number: 2}
}

// script answers the requests of one test in order, whatever connection they
// come on, and fails it when others come.
type script struct {
	t     *testing.T
	mu    sync.Mutex
	lines []scripted
	next  int
}

type scripted struct {
	want string // command and arguments
	do   func(s *session, r wire.Request) bool
}

func (sc *script) handle(s *session, r wire.Request) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	got := strings.Join(append([]string{r.Command}, r.Args...), " ")
	if sc.next >= len(sc.lines) {
		sc.t.Errorf("unexpected request %q", got)
		return false
	}
	line := sc.lines[sc.next]
	sc.next++
	if got != line.want {
		sc.t.Errorf("request %d is %q, want %q", sc.next, got, line.want)
	}
	return line.do(s, r)
}

func (sc *script) done() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.next != len(sc.lines) {
		sc.t.Errorf("%d of %d requests were made", sc.next, len(sc.lines))
	}
}

func statusOf(generation int) func(*session, wire.Request) bool {
	return func(s *session, r wire.Request) bool {
		return s.status(r, wire.Status{Generation: generation, Upgrade: wire.UpgradeStatus{State: wire.UpgradeRunning, Generation: generation, Number: 2}})
	}
}

func die(*session, wire.Request) bool { return false }

// streams sends steps; the last of them ends it, unless it is dies.
func streams(dies bool, steps ...wire.Progress) func(*session, wire.Request) bool {
	return func(s *session, r wire.Request) bool {
		for i, p := range steps {
			s.step(r, dies || i < len(steps)-1, p, fmt.Sprintf("gen %d ready %d %s", p.Generation, p.Ready, p.Event))
		}
		return !dies
	}
}

// upgradeCase is one story of an upgrade, as the client lives it.
type upgradeCase struct {
	name  string
	call  watched
	lines []scripted
	steps string // generation:event of each
	state string // of the outcome
	code  Code   // of the error
}

type watched func(*Client, context.Context, func(Progress)) (Progress, error)

func upgrade(mode Mode) watched {
	return func(c *Client, ctx context.Context, f func(Progress)) (Progress, error) {
		return c.Upgrade(ctx, mode, f)
	}
}

func follow(gen int) watched {
	return func(c *Client, ctx context.Context, f func(Progress)) (Progress, error) { return c.Follow(ctx, gen, f) }
}

// fails ends a stream with a failure and an account of where it stood.
func fails(code wire.Code, p wire.Progress) func(*session, wire.Request) bool {
	return func(s *session, r wire.Request) bool {
		data, _ := json.Marshal(p)
		s.reply(r, wire.Reply{Data: data, Err: wire.Errorf(code, "because")})
		return true
	}
}

var upgradeCases = []upgradeCase{
	{"plain", upgrade(Smooth), []scripted{
		{"status", statusOf(1)},
		{"upgrade smooth", streams(false, step(2, 0, ""), step(2, 0, "spawned"), step(2, 1, "ready"), over(2, "done"))},
	}, "2: 2:spawned 2:ready", "done", ""},
	{"aborted", upgrade(DefaultMode), []scripted{
		{"status", statusOf(1)},
		{"upgrade", fails(wire.Aborted, over(2, "aborted"))},
	}, "", "aborted", Aborted},
	{"aborted without an account", upgrade(DefaultMode), []scripted{
		{"status", statusOf(1)},
		{"upgrade", func(s *session, r wire.Request) bool {
			streams(true, step(2, 0, ""), step(2, 0, "failed"))(s, r)
			return s.fail(r, wire.Aborted, "because")
		}},
	}, "2: 2:failed", "aborted", Aborted},
	{"dies amid it", upgrade(Fleet), []scripted{
		{"status", statusOf(1)},
		{"upgrade fleet", streams(true, step(2, 0, ""), step(2, 1, "ready"))},
		{"status", statusOf(2)},
		{"follow 2", streams(false, step(2, 1, ""), over(2, "done"))},
	}, "2: 2:ready 2:reconnected 2:", "done", ""},
	{"dies again and again", upgrade(Smooth), []scripted{
		{"status", statusOf(1)},
		{"upgrade smooth", streams(true, step(2, 0, ""))},
		{"status", die},
		{"status", die},
		{"status", die},
		{"status", die},
		{"status", statusOf(2)},
		{"follow 2", streams(true, step(2, 1, ""))},
		{"status", statusOf(2)},
		{"follow 2", die},
		{"status", statusOf(2)},
		{"follow 2", fails(wire.Superseded, over(2, "superseded"))},
	}, "2: 2:reconnected 2: 2:reconnected 2:reconnected", "superseded", Superseded},
	{"dies before it began", upgrade(Smooth), []scripted{
		{"status", statusOf(1)},
		{"upgrade smooth", die},
		{"status", statusOf(1)},
		{"upgrade smooth", streams(false, step(2, 0, ""), over(2, "done"))},
	}, "2:", "done", ""},
	{"dies just after it began", upgrade(Smooth), []scripted{
		{"status", statusOf(1)},
		{"upgrade smooth", die},
		{"status", statusOf(2)},
		{"follow 2", streams(false, step(2, 0, ""), over(2, "done"))},
	}, "2:reconnected 2:", "done", ""},
	{"follow the newest", follow(0), []scripted{
		{"follow", streams(true, step(5, 0, ""))},
		{"status", statusOf(6)},
		{"follow 5", fails(wire.Superseded, over(5, "superseded"))},
	}, "5: 5:reconnected", "superseded", Superseded},
	{"follow one that ended", follow(3), []scripted{
		{"follow 3", streams(false, over(3, "done"))},
	}, "", "done", ""},
	{"stopping", upgrade(Smooth), []scripted{
		{"status", statusOf(1)},
		{"upgrade smooth", func(s *session, r wire.Request) bool { return s.fail(r, wire.Stopping, "stopping") }},
	}, "", "", Stopping},
}

func TestUpgradeAndFollow(t *testing.T) {
	for _, tt := range upgradeCases {
		t.Run(tt.name, func(t *testing.T) {
			sc := &script{t: t, lines: tt.lines}
			c := connect(t, newFake(t, sc.handle).path)
			var steps []string
			last, err := tt.call(c, testContext(t), func(p Progress) {
				steps = append(steps, fmt.Sprintf("%d:%s", p.Generation, p.Event))
			})
			var e *Error
			if tt.code == "" && err != nil || tt.code != "" && (!errors.As(err, &e) || e.Code != tt.code) {
				t.Errorf("got error %v, want code %q", err, tt.code)
			}
			if diff := cmp.Diff(tt.steps, strings.Join(steps, " ")); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if last.State != tt.state || last.Event != "" {
				t.Errorf("outcome is %+v, want state %q", last, tt.state)
			}
			sc.done()
		})
	}
}

// The whole is gone: the socket with it, or another keeper in its place.
func TestUpgradeWhenTheKeeperGoes(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	var f *fake
	f = newFake(t, func(s *session, r wire.Request) bool {
		if r.Command == wire.StatusCmd {
			return statusOf(1)(s, r)
		}
		s.step(r, true, step(2, 0, ""), "")
		f.ln.Close()
		return false
	})
	c := connect(t, f.path)
	// Patience is for ten seconds; the caller's context may be shorter.
	_, err := c.Upgrade(ctx, Smooth, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	w := &watch{c: c, keeper: 1}
	if err := w.sameKeeper(); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "keeper 1 is gone") {
		t.Errorf("another keeper's pid: got %v", err)
	}
}
