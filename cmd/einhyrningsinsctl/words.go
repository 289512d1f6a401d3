// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strings"

	"github.com/google/shlex"
)

// splitCommands splits text into commands at each ; and newline outside of
// quotes and comments, and each command into words as a shell does. Empty
// commands are left out.
func splitCommands(text string) ([][]string, error) {
	var commands [][]string
	for _, part := range splitParts(text) {
		words, err := shlex.Split(part)
		if err != nil {
			return nil, usagef("cannot read %q: a quote or backslash is left open", strings.TrimSpace(part))
		}
		if len(words) > 0 {
			commands = append(commands, words)
		}
	}
	return commands, nil
}

// splitParts finds the separators, by the quoting rules that shlex has too:
// backslash outside of single quotes, and # at the beginning of a word.
func splitParts(text string) []string {
	var parts []string
	start := 0
	var quote rune // ' or " while in quotes, # while in a comment
	escaped, inWord := false, false
	for i, r := range text {
		switch {
		case escaped:
			escaped, inWord = false, true
		case quote == '#':
			if r == '\n' {
				quote = 0
				parts, start = append(parts, text[start:i]), i+1
			}
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			quote = '#'
		case r == ';' || r == '\n':
			parts, start = append(parts, text[start:i]), i+1
			inWord = false
		case r == ' ' || r == '\t' || r == '\r':
			inWord = false
		default:
			inWord = true
		}
	}
	return append(parts, text[start:])
}

// quoteWord writes word so that splitCommands reads it as one word again.
func quoteWord(word string) string {
	if word != "" && strings.IndexFunc(word, needsQuotes) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func needsQuotes(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("%+,-./:=@_", r)
}
