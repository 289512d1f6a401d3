// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "strings"

// splitSequence splits what einhornsh is given into commands at each ; and each
// command into words, as einhorn's shell does by the rules of a POSIX shell
// without comments and expansions: a newline is a space, and # a letter like any
// other. A separator within quotes is none. Empty commands are left out.
func splitSequence(text string) ([][]string, error) {
	sp := sequenceSplitter{}
	for _, r := range text {
		sp.take(r)
	}
	if sp.quote != 0 {
		return nil, usagef("cannot read %q: a quote is left open", strings.TrimSpace(text))
	}
	if sp.escaped {
		sp.word.WriteByte('\\') // nothing came that it could have escaped
	}
	sp.endCommand()
	return sp.commands, nil
}

type sequenceSplitter struct {
	commands [][]string
	words    []string
	word     strings.Builder
	inWord   bool
	quote    rune // the quote that is open
	escaped  bool // the last was a backslash
}

func (sp *sequenceSplitter) take(r rune) {
	switch {
	case sp.escaped:
		sp.escaped = false
		if sp.quote == '"' && !strings.ContainsRune("$`\"\\\n", r) {
			sp.word.WriteByte('\\') // it escapes these only (POSIX shell, 2.2.3)
		}
		sp.word.WriteRune(r)
	case r == '\\' && sp.quote != '\'':
		sp.escaped, sp.inWord = true, true
	case sp.quote != 0 && r == sp.quote:
		sp.quote = 0
	case sp.quote != 0:
		sp.word.WriteRune(r)
	case r == '\'' || r == '"':
		sp.quote, sp.inWord = r, true
	case r == ';':
		sp.endCommand()
	case strings.ContainsRune(" \t\n\v\f\r", r):
		sp.endWord()
	default:
		sp.inWord = true
		sp.word.WriteRune(r)
	}
}

func (sp *sequenceSplitter) endWord() {
	if sp.inWord {
		sp.words = append(sp.words, sp.word.String())
	}
	sp.word.Reset()
	sp.inWord = false
}

func (sp *sequenceSplitter) endCommand() {
	sp.endWord()
	if len(sp.words) > 0 {
		sp.commands = append(sp.commands, sp.words)
	}
	sp.words = nil
}
