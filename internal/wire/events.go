// SPDX-License-Identifier: MIT

package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// EventsWait as the last argument of events asks for an answer only when there is
// an event after the one that was named.
const EventsWait = "wait"

// Event is one thing that happened. PID and Index are of the worker that it is
// about; where it is about none, there is no Index.
type Event struct {
	Number     uint64            `json:"number"` // only grows as long as the keeper lives
	At         time.Time         `json:"at"`
	Kind       string            `json:"kind"`
	Level      string            `json:"level"` // as in the log: debug, info, warn or error
	Generation int               `json:"generation,omitempty"`
	PID        int               `json:"pid,omitempty"`
	Index      *int              `json:"index,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Text       string            `json:"text"` // for people
	Details    map[string]string `json:"details,omitempty"`
}

// What is the event in one line, for people, but for its time and its worker.
func (e *Event) What() string {
	var details []string
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		details = append(details, key+" "+e.Details[key])
	}
	text := strings.Join(append([]string{e.Text}, details...), ", ")
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// String is the event in one line, for people.
func (e *Event) String() string {
	text := fmt.Sprintf("%d %s %s", e.Number, e.At.Format(time.RFC3339), e.What())
	if e.Index != nil {
		text += fmt.Sprintf(" (pid %d, index %d, generation %d)", e.PID, *e.Index, e.Generation)
	}
	return text
}

// Events is the "data" of events. E is Event, or one that is encoded already.
type Events[E any] struct {
	PID    int    `json:"pid"`   // the keeper's, whose numbers they are
	First  uint64 `json:"first"` // the oldest that is still known; above Last: none is
	Last   uint64 `json:"last"`  // the newest that there was; 0: none yet
	Events []E    `json:"events"`
}
