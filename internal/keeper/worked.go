// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"fmt"
	"os"
	"time"

	"einhyrningsins/internal/version"
)

// When the binary that a reload took is given up: its masters went live once, and
// then hang or die again and again.
const (
	soon        = time.Minute // a master that dies earlier than this has not worked
	mostStrikes = 3           // in a row
)

// worked is the binary that masters were started from before the last reload. It is
// held open, so that it can be gone back to whatever lies on disk by then.
type worked struct {
	kept     bool
	binary   *os.File // nil: our own
	software string
	gaveUp   string // why the binary of the last reload was given up; "": it was not
}

// keepWorked keeps the binary of the master that a reload replaces, unless that
// has not shown that it works and an earlier one has.
func (k *keeper) keepWorked() {
	m, w := &k.master, &k.worked
	w.gaveUp = ""
	if w.kept && (m.strikes > 0 || k.sys.now()-m.reloadedAt < soon) {
		if m.binary != nil {
			m.binary.Close()
		}
		return
	}
	if w.binary != nil {
		w.binary.Close()
	}
	if m.binary == nil {
		m.software = version.Version
	}
	*w = worked{kept: true, binary: m.binary, software: m.software}
}

// judgeBinary goes back to the binary that worked when a master has ended that
// was not the first of the present one to fail. During a stop there is no time to
// try again.
func (k *keeper) judgeBinary() {
	m, w := &k.master, &k.worked
	if !m.hung && !m.bad && m.liveAt > 0 && k.liveFor() >= soon {
		m.strikes = 0
		return
	}
	m.strikes++
	if !w.kept || m.strikes < mostStrikes && k.stop.at == 0 {
		return
	}
	w.gaveUp = fmt.Sprintf("version %s was given up: its masters hung or died %d times in a row, the last: %s; version %s, which worked before the reload, goes on",
		m.software, m.strikes, m.lastWord, w.software)
	k.log.Error(w.gaveUp)
	if m.binary != nil {
		m.binary.Close()
	}
	m.binary, m.software = w.binary, w.software
	m.strikes, m.failures, m.badOnes, m.delay, m.reloadedAt = 0, 0, 0, 0, k.sys.now()
	w.kept, w.binary = false, nil
}
