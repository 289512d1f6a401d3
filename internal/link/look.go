// SPDX-License-Identifier: GPL-3.0-or-later

package link

// Look asks the keeper for a fresh look at the world, from which the workers of
// this generation will be started. It is answered by Looked or LookFailed, also
// when it was answered before.
type Look struct {
	Generation int `json:"generation"`
}

// Looked says that workers of this generation can be spawned.
type Looked struct {
	Launch Launch `json:"launch"`
}

// LookFailed says that there is nothing to start workers of this generation
// from, and why.
type LookFailed struct {
	Generation int    `json:"generation"`
	Reason     string `json:"reason"`
}

// How the process that looks is called. It is the binary on disk, which may be of
// another version than the keeper: this is part of what the two agree on.
const (
	LookName = "einhyrn-look"
	LookFlag = "--look-fd" // followed by its descriptor, and by its own path
)

// LookAt is what the keeper asks of the process that looks, on a socket of
// their own. Bytes are what the operating system has; they need not be text.
type LookAt struct {
	Program  [][]byte    `json:"program"`   // and its arguments
	Dir      []byte      `json:"dir"`       // to go to; empty: stay
	Login    [][]byte    `json:"login"`     // variables to begin with, which the next ones may change
	Env      []EnvSource `json:"env"`       // to be read, in order
	Drop     [][]byte    `json:"drop"`      // variables to remove
	ReexecAs [][]byte    `json:"reexec_as"` // the wrapper's words; none: there is no wrapper
	Einhorn  bool        `json:"einhorn"`   // the wrapper is called as einhorn's
}

// EnvSource is a directory (envdir) or a file to read variables from.
type EnvSource struct {
	Path     []byte `json:"path"`
	Dir      bool   `json:"dir"`
	Optional bool   `json:"optional"` // may be missing
}

// Saw is the answer of the process that looked: what arrived. With it come two
// descriptors: the directory, and the program's file.
type Saw struct {
	Program   [][]byte `json:"program"` // arguments, the first as given
	Env       [][]byte `json:"env"`
	Path      []byte   `json:"path"`      // of the program, as it was found
	Resolved  []byte   `json:"resolved"`  // the same, absolute and without symbolic links
	Directory []byte   `json:"directory"` // likewise
	Script    bool     `json:"script"`    // an interpreter runs it, and wants its path
	Windows   bool     `json:"windows"`   // its first line, as a script, ends with a carriage return
}

// Blind is its answer when it could not look.
type Blind struct {
	Reason string `json:"reason"`
}
