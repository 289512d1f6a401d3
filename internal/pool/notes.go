// SPDX-License-Identifier: GPL-3.0-or-later

package pool

// Note is something that happened and that people may want to know. The master
// makes an event of it, which has any number of readers.
type Note struct {
	Kind       Kind
	Worker     Worker // as it was; Serial 0: the note is about no worker
	Generation int    // of the upgrade, for notes about one
	Text       string
	Warn       bool
	Error      bool
}

// Kind is what a note is about, by the name that programs know it by.
type Kind string

// The kinds of notes.
const (
	NoteSpawned    Kind = "spawned"     // a worker runs
	NoteReady      Kind = "ready"       // a worker is ready
	NoteAckIgnored Kind = "ack_ignored" // an ACK in timer mode
	NoteFailed     Kind = "failed"      // a failed start
	NoteDied       Kind = "died"        // a ready worker ended by itself
	NoteRetired    Kind = "retired"     // a worker was sent the graceful signal
	NoteReminded   Kind = "reminded"    // a draining worker ACKed and was sent the signal again
	NoteStopped    Kind = "stopped"     // a worker was sent TERM
	NoteKilled     Kind = "killed"      // a worker was sent KILL
	NoteEnded      Kind = "ended"       // a worker that was asked to end has ended
	NoteOverdue    Kind = "overdue"     // the ACK of a worker may have died with a master
	NoteSilent     Kind = "silent"      // a ready worker was silent for too long
	NoteLeaving    Kind = "leaving"     // a worker said that it ends
	NoteNumber     Kind = "number"      // another number of workers is wanted
	NoteUpgrade    Kind = "upgrade"     // an upgrade begins
	NoteAgain      Kind = "again"       // another one is to follow
	NoteWaiting    Kind = "waiting"     // only draining workers hold the upgrade up
	NoteDone       Kind = "done"        // the upgrade is done
	NoteAborted    Kind = "aborted"     // it was given up
	NoteSuperseded Kind = "superseded"  // a newer one takes over
	NoteGivenUp    Kind = "given_up"    // only single tries are left
	NoteShortage   Kind = "shortage"    // the system lacks what spawning needs
	NoteRefused    Kind = "refused"     // a worker cannot be signalled
	NoteLeft       Kind = "left"        // one is waited for no longer
	NoteStop       Kind = "stop"        // the way out
)
