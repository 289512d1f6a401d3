// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
)

// heir is the next master during a reload: started from the binary on disk
// while the old one goes on, told everything once the old one stands still, and
// the master as soon as it is live. Whatever goes wrong until then is its end,
// and the old one goes on.
type heir struct {
	*task
	phase    heirPhase
	conn     *link.Conn // nil when its end was read
	linkErr  error      // why it ended; nil: as when the other end is gone
	theirs   *os.File   // its end of the link, until it was started
	ordered  bool       // the spawner has the job
	stream   int        // its end of the stream on which the old one hands over, until its hello; or -1
	binary   *os.File   // what it was started from
	told     knowledge
	pongs    bool
	said     []link.Message // what counts once it is live
	heard    int            // bytes of that
	software string
}

type heirPhase int

const (
	heirStarts    heirPhase = iota // until it greets
	heirWaits                      // for the old one to stand still
	heirTakesOver                  // was told everything, until it is live
)

// audible is the heir's link; it works for no heir, too. Nobody is heard whose
// process is not known yet: it could be live before that.
func (h *heir) audible() *link.Conn {
	if h == nil || h.pid == 0 {
		return nil
	}
	return h.conn
}

func (h *heir) in() <-chan link.Received {
	if conn := h.audible(); conn != nil {
		return conn.In()
	}
	return nil
}

func (h *heir) whyLate() string {
	switch {
	case !link.OtherGone(h.linkErr):
		return "the link to the new master failed: " + h.linkErr.Error()
	case h.conn == nil:
		return "the new master closed its link"
	case h.phase == heirStarts:
		return fmt.Sprintf("the new master did not say within %v which version of the link it speaks; is it einhyrningsins?", patience)
	case h.phase == heirWaits:
		return fmt.Sprintf("the old master did not stand still within %v", patience)
	}
	return fmt.Sprintf("the new master did not go live within %v", patience)
}

// startHeir begins a reload.
func (k *keeper) startHeir() {
	if k.heir != nil || k.master.cannotReload != nil {
		return // it gets the answer of the first
	}
	if k.stop.at != 0 {
		k.master.cannotReload = &link.ReloadFailed{Reason: "we are stopping"}
		return
	}
	if k.opening {
		k.master.cannotReload = &link.ReloadFailed{Reason: k.binary + " is still being opened for an earlier reload; is it on a file system that hangs?"}
		return
	}
	ours, theirs, err := link.Pair()
	if err != nil {
		k.master.cannotReload = &link.ReloadFailed{Reason: "cannot make the link to a new master: " + err.Error()}
		return
	}
	ours.Limit(maxOrder)
	k.watchLink(ours)
	h := &heir{conn: ours, theirs: theirs, stream: -1}
	h.task = &task{
		by:    k.sys.now() + patience,
		begun: func(a answer) { k.heirStarted(h, a) },
		late:  func() { k.abandonReload(h.whyLate()) },
		ended: k.heirEnded,
	}
	k.await(h.task)
	k.heir, k.opening = h, true
	go func() {
		f, err := k.sys.open(k.binary)
		k.opened <- opened{h, f, err}
	}()
}

// opened is the binary of an heir, or why it cannot be had.
type opened struct {
	heir   *heir
	binary *os.File
	err    error
}

// heirOpened starts the new master from the binary, which is held open so that the
// very same can be started again when the disk holds another.
func (k *keeper) heirOpened(o opened) {
	h := o.heir
	k.opening = false
	switch {
	case h != k.heir: // it was given up meanwhile
		if o.err == nil {
			o.binary.Close()
		}
	case o.err != nil:
		k.abandonReload(fmt.Sprintf("cannot start %s: %v", k.binary, claim.RootCause(o.err)))
	default:
		h.binary, h.ordered = o.binary, true
		k.spawner.wantFirst(job{task: h.task, process: k.masterProcess(h.binary, h.theirs)})
	}
}

func (k *keeper) heirStarted(h *heir, a answer) {
	h.theirs.Close()
	switch {
	case h != k.heir: // it was given up meanwhile
		k.dismiss(h.task, 0)
	case a.err != nil:
		k.abandonReload(fmt.Sprintf("cannot start %s: %v", k.binary, execError(a.err)))
	}
}

// heirSays takes one message of the heir, or the end of its link.
func (k *keeper) heirSays(in link.Received, open bool) {
	closeSent(in.FDs)
	h := k.heir
	if !open {
		h.linkErr = h.conn.Err()
		h.conn.Close()
		h.conn = nil
		h.by = k.sys.now() + time.Second // its exit status says more
		return
	}
	if len(in.FDs) > 0 {
		k.abandonReload(fmt.Sprintf("the new master sent %d descriptors", len(in.FDs)))
		return
	}
	switch m := in.Msg.(type) {
	case *link.Greet:
		if h.phase == heirStarts {
			k.heirGreets(m)
		}
	case *link.Live:
		if h.phase == heirTakesOver {
			k.promote()
			return
		}
		k.abandonReload("the new master went live before it was told anything")
	default:
		h.said, h.heard = append(h.said, m), h.heard+weight(m)
		switch {
		case h.phase != heirTakesOver:
			k.abandonReload(fmt.Sprintf("the new master sent %T before it was live", m))
		case h.heard > maxHeard:
			k.abandonReload(fmt.Sprintf("the new master sent more than %d bytes before it was live", maxHeard))
		}
	}
}

// heirGreets asks the old master to stand still, if the new one can speak with
// us.
func (k *keeper) heirGreets(g *link.Greet) {
	h := k.heir
	if g.Oldest > link.Version || g.Version < link.Version {
		k.abandonReload(fmt.Sprintf("%s (version %s) speaks versions %d to %d of the link, the keeper speaks %d; restart the keeper to use it",
			k.binary, short(g.Software), g.Oldest, g.Version, link.Version))
		return
	}
	if k.master.conn == nil { // its end was read, and will be reaped
		k.abandonReload("the old master died")
		return
	}
	from, to, err := link.Stream()
	if err != nil {
		k.abandonReload("cannot make a stream between the masters: " + err.Error())
		return
	}
	h.phase, h.stream, h.software, h.pongs = heirWaits, to, short(g.Software), g.Pongs
	h.by = k.sys.now() + patience
	k.master.conn.Send(&link.Quiesce{}, from)
}

// oldQuiesced tells the heir everything, for from now on nothing changes but by
// what the keeper sees itself.
func (k *keeper) oldQuiesced(q *link.Quiesced) {
	h := k.heir
	if h == nil || h.phase != heirWaits {
		return // the reload was given up, and the old one knows or will
	}
	if q.Failure != "" {
		k.abandonReload("the old master cannot hand over: " + short(q.Failure))
		return
	}
	k.master.quiesced = true
	if h.conn == nil {
		return
	}
	stream := h.stream
	h.stream = -1
	known, err := k.sayHello(h.conn, true, stream)
	if err != nil {
		unix.Close(stream)
		k.abandonReload(err.Error())
		return
	}
	h.phase, h.told = heirTakesOver, known
	h.by = k.sys.now() + patience
}

// promote makes the heir the master.
func (k *keeper) promote() {
	h, m := k.heir, &k.master
	k.heir = nil
	if m.conn != nil {
		m.conn.Close() // which ends it
	}
	k.dismiss(m.task, patience)
	now := k.sys.now()
	k.keepWorked()
	h.by, h.late, h.ended = 0, nil, k.masterEnded
	*m = master{
		task: h.task, pid: h.pid, conn: h.conn, binary: h.binary, software: h.software, reloadedAt: now, startedAt: now,
		greeted: true, pongs: h.pongs, count: m.count + 1, everLive: true,
	}
	k.nowKnows(h.told)
	k.log.Info("a new master takes over", "pid", m.pid, "version", h.software, "binary", k.binary)
	k.wentLive()
	for _, msg := range h.said {
		if k.ending == nil && !m.refused() {
			k.obey(msg)
		}
	}
}

// abandonReload ends a reload that cannot be finished: the old master goes on,
// or if it has died meanwhile, another of the same binary.
func (k *keeper) abandonReload(reason string) {
	h, m := k.heir, &k.master
	if h == nil {
		return
	}
	k.heir = nil
	k.log.Error("cannot reload; the old master stays", "reason", reason)
	if !h.ordered || k.drop(h.task) {
		h.theirs.Close() // otherwise the spawner may be using it
	}
	k.killStepOf(h.task)
	k.dismiss(h.task, 0)
	if h.conn != nil {
		h.conn.Close()
	}
	if h.stream >= 0 {
		unix.Close(h.stream)
	}
	if h.binary != nil {
		h.binary.Close()
	}
	m.quiesced, m.waitedAt = false, k.sys.now()
	if m.conn != nil {
		m.cannotReload = &link.ReloadFailed{Reason: reason}
		k.tellReloadFailed()
	}
	if !m.exists() {
		k.masterGone()
	}
}

// heirEnded means that it was reaped before it was live.
func (k *keeper) heirEnded(status syscall.WaitStatus) {
	k.abandonReload("the new master, started from " + k.binary + ", did not live: " + platform.HowEnded(status))
}

// oldDied means that nothing is left of the old master. An heir who was told
// everything needs it no more, another one will never be told.
func (k *keeper) oldDied() {
	if k.heir.phase != heirTakesOver {
		k.abandonReload("the old master died")
	}
}
