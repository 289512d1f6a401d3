// SPDX-License-Identifier: MIT

package wire

// Settings is the "data" of config, quieter and louder: every setting as it is
// now and, when some were to be changed, what became of each.
type Settings struct {
	Settings []Setting `json:"settings"` // in the order of the daemon's usage text
	Changed  []Change  `json:"changed,omitempty"`
	Refused  []Refusal `json:"refused,omitempty"`
}

// Setting is one option of the daemon and its value of the moment. Key is its
// long name with _ for -, Value what a command line would say; lists are
// joined by spaces.
type Setting struct {
	Key        string `json:"key"`
	Value      string `json:"value"`
	Changeable bool   `json:"changeable"` // while running
}

// Change is a setting that was changed, or was to be and had that value
// already.
type Change struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Refusal is a setting that was not changed, and why.
type Refusal struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}
