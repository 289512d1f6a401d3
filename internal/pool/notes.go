// SPDX-License-Identifier: GPL-3.0-or-later

package pool

// Note is something that people may want to know: a line of the log, and for
// some kinds a line of progress for whoever waits for an upgrade.
type Note struct {
	Kind       Kind
	Worker     Worker // as it was; Serial 0: the note is about no worker
	Generation int    // of the upgrade, for notes about one
	Text       string
	Warn       bool
	Error      bool
}

// Kind is what a note is about.
type Kind int

// The kinds of notes.
const (
	NoteSpawned    Kind = iota // a worker runs
	NoteReady                  // a worker is ready
	NoteAckIgnored             // an ACK in timer mode
	NoteFailed                 // a failed start
	NoteDied                   // a ready worker ended by itself
	NoteRetired                // a worker was sent the graceful signal
	NoteReminded               // a draining worker ACKed and was sent the signal again
	NoteStopped                // a worker was sent TERM
	NoteKilled                 // a worker was sent KILL
	NoteEnded                  // a worker that was asked to end has ended
	NoteOverdue                // the ACK of a worker may have died with a master
	NoteSilent                 // a ready worker was silent for too long
	NoteLeaving                // a worker said that it ends
	NoteNumber                 // another number of workers is wanted
	NoteUpgrade                // an upgrade begins
	NoteAgain                  // another one is to follow
	NoteWaiting                // only draining workers hold the upgrade up
	NoteDone                   // the upgrade is done
	NoteAborted                // it was given up
	NoteSuperseded             // a newer one takes over
	NoteGivenUp                // only single tries are left
	NoteShortage               // the system lacks what spawning needs
	NoteRefused                // a worker cannot be signalled
	NoteLeft                   // one is waited for no longer
	NoteStop                   // the way out
)
